"""Does a model that is loaded still write? Where nothing was heard of it for long, it is asked for one token.

    look(): may it be? -> is one due? -> on a thread of its own: still loaded? -> one token -> finding

An engine can answer its version and list its models while no answer ever comes
to its end [ollama.md, "Hung scheduler or runner"]. Tokens of live traffic are
the proof of life that costs nothing, so a model that writes is never probed; one
that let a request wait in vain is probed at once. A probe never loads a model,
never keeps one loaded for longer, and is given up as soon as it may no longer
be. Owns when and whether; what a finding calls for is the supervisor's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ia0_daemon.errors import CallerGone, EngineTimeout, ServiceError

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import Restart

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configured model that is loaded."""

    tag: str
    stays_s: float
    """How long it will stay so if nobody asks for it; infinite where that is for ever."""


class ProbedEngine(Protocol):
    """What a probe needs of the engine."""

    def loaded(self) -> list[str]:
        """Give the tags that were loaded when the engine was last asked."""

    def look(self, tag: str) -> Loaded | None:
        """Ask the engine now; none where the model is no longer loaded."""

    def alive_at(self, tag: str) -> float:
        """Give when the model was last heard, in monotonic seconds."""

    def is_doubted(self, tag: str) -> bool:
        """Say whether a request has waited for it in vain since then."""

    def write(self, loaded: Loaded, gone: Callable[[], bool], timeout_s: float) -> None:
        """Have it write one token; raises `EngineTimeout`, `CallerGone` when `gone`, or another error."""


class Probe:
    """Probes one engine, one model at a time."""

    def __init__(
        self,
        engine: ProbedEngine,
        may: Callable[[], bool],
        settings: Callable[[], Restart],
        count: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`may`: whether nothing is under way that a probe would disturb; `count` is told each result."""
        self._engine, self._may, self._settings = engine, may, settings
        self._count, self._clock = count, clock
        self._thread: threading.Thread | None = None
        self._probed_at: dict[str, float] = {}
        self._stuck: tuple[str, float, str] | None = None

    @property
    def finding(self) -> str:
        """Why the engine is stuck; empty where it is not, or where a token has come since."""
        if self._stuck is None or self._engine.alive_at(self._stuck[0]) > self._stuck[1]:
            return ""
        return self._stuck[2]

    def look(self) -> None:
        """Begin a probe where one is due."""
        if not self._may():
            self._stuck = None  # what is being mended, or taken out of service, is judged anew afterwards
            return
        if self._thread is not None and self._thread.is_alive():
            return
        tag = next(filter(self._is_due, self._engine.loaded()), None)
        if tag is not None:
            self._thread = threading.Thread(target=self._run, args=(tag,), name="probe", daemon=True)
            self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for a probe under way."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _is_due(self, tag: str) -> bool:
        settings, now = self._settings(), self._clock()
        if not settings.probe_idle_s:
            return False
        probed_at = self._probed_at.get(tag, float("-inf"))
        if self._engine.is_doubted(tag):
            return now - probed_at >= settings.probe_timeout_s
        return now - max(probed_at, self._engine.alive_at(tag)) >= settings.probe_idle_s

    def _run(self, tag: str) -> None:
        began, timeout_s = self._clock(), self._settings().probe_timeout_s
        try:
            result = self._probe(tag, began, timeout_s)
        except Exception:
            # The edge of this thread: a defect here says nothing about the engine.
            log.exception("a probe failed by a defect")
            result = "failed"
        self._probed_at[tag] = self._clock()
        if result:
            self._count(result)

    def _probe(self, tag: str, began: float, timeout_s: float) -> str:
        """Give the result; empty where there was nothing to probe."""
        loaded = self._engine.look(tag)
        if loaded is None or loaded.stays_s <= timeout_s:
            return ""  # it is about to be unloaded: asking would load it again, or keep it
        try:
            self._engine.write(loaded, lambda: not self._may(), timeout_s)
        except CallerGone:
            return "given_up"
        except EngineTimeout:
            return self._note_silence(tag, began, timeout_s)
        except ServiceError as error:
            # It answers, if only with an error: what is wrong shows elsewhere.
            log.warning("a probe failed", extra={"event": "probe_failed", "tag": tag, "error": error.message})
            return "failed"
        return "wrote"

    def _note_silence(self, tag: str, began: float, timeout_s: float) -> str:
        if self._engine.alive_at(tag) > began:
            return "busy"  # it wrote for others meanwhile
        reason = f"{tag} is loaded and wrote no token within {timeout_s:g} s for a probe"
        self._stuck = (tag, self._clock(), reason)
        return "stuck"
