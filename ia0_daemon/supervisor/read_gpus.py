"""The GPUs, through NVML where there is a driver.

Owns the one connection to NVML. No package, no driver and no card are the same:
no GPUs. A card that fails is left out; the others stay.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from ia0_daemon.supervisor.samples import Gpu

log = logging.getLogger(__name__)

T = TypeVar("T")

# A driver may come up after the daemon at boot; after so many reads it is tried again.
RETRY_READS = 60


def load_nvml() -> Any:
    """The module `pynvml` of nvidia-ml-py; None where it is not installed."""
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        return None


class Gpus:
    """Reads the cards."""

    def __init__(self, load: Callable[[], Any] = load_nvml) -> None:
        self._load = load
        self._nvml: Any = None
        self._is_open = False
        self._wait = 0

    def read(self) -> tuple[Gpu, ...]:
        """All cards that answer."""
        if not self._open():
            return ()
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError as error:
            # The driver was reloaded or has lost every card: begin anew with the next read.
            log.debug("NVML: %s", error)
            self.close()
            return ()
        found = (self._card(index) for index in range(count))
        return tuple(card for card in found if card is not None)

    def close(self) -> None:
        """Let the driver go."""
        if self._is_open:
            with suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()
        self._is_open = False

    def _open(self) -> bool:
        if self._is_open:
            return True
        if self._wait > 0:
            self._wait -= 1
            return False
        self._wait = RETRY_READS
        self._nvml = self._nvml or self._load()
        if self._nvml is None:
            return False
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            log.debug("no GPUs: %s", error)
            return False
        self._is_open, self._wait = True, 0
        return True

    def _card(self, index: int) -> Gpu | None:
        nvml = self._nvml
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError as error:
            log.debug("GPU %d: %s", index, error)
            return None
        return Gpu(
            index=index,
            name=_text(self._asked(nvml.nvmlDeviceGetName, handle)),
            uuid=_text(self._asked(nvml.nvmlDeviceGetUUID, handle)),
            total_bytes=int(memory.total),
            used_bytes=int(memory.used),
            utilization_percent=self._asked(
                lambda card: int(nvml.nvmlDeviceGetUtilizationRates(card).gpu), handle
            ),
            temperature_c=self._asked(
                lambda card: int(nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU)), handle
            ),
        )

    def _asked(self, ask: Callable[[Any], T], handle: Any) -> T | None:
        """What not every card can tell."""
        try:
            return ask(handle)
        except self._nvml.NVMLError:
            return None


def _text(value: object) -> str:
    """Older versions of the package give bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
