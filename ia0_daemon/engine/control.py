"""Short questions about the engine's state: version, models there, models loaded.

Owns the control calls, which are rare and may cost what `requests` costs. Never
asks for text and never keeps an answer (`watch.py` does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
import requests

from ia0_daemon.errors import EngineError

if TYPE_CHECKING:
    from ia0_daemon.settings.engine_address import Address


class PresentModel(msgspec.Struct):
    """A model on the engine's disk, of `/api/tags`."""

    name: str
    size: int = 0
    digest: str = ""
    """SHA-256 of its manifest: another one is another model, whatever its name."""


class LoadedModel(msgspec.Struct):
    """A model in the engine's memory, of `/api/ps`; sizes in bytes as they were at loading."""

    name: str
    size: int = 0
    size_vram: int = 0
    context_length: int = 0
    expires_at: str = ""


class _Version(msgspec.Struct):
    version: str


class _Tags(msgspec.Struct):
    models: list[PresentModel] | None = None


class _Loaded(msgspec.Struct):
    models: list[LoadedModel] | None = None


T = TypeVar("T")


class EngineControl:
    """Questions to one engine. A call takes `timeout_s` at most between two bytes of its answer."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between the daemon and its own engine
        self._session.headers["Host"] = "localhost"

    def version(self) -> str:
        """Ask for the engine's version, which also shows that it answers."""
        return self._get("/api/version", _Version).version

    def tags(self) -> dict[str, str]:
        """Ask for the models that are there: their digests by their full names."""
        return {model.name: model.digest for model in self._get("/api/tags", _Tags).models or ()}

    def loaded(self) -> list[LoadedModel]:
        """Ask for the models that are loaded."""
        return self._get("/api/ps", _Loaded).models or []

    def close(self) -> None:
        """Close the kept connection."""
        self._session.close()

    def _get(self, path: str, shape: type[T]) -> T:
        url = self._address.url + path
        try:
            with self._session.get(url, timeout=self._timeout_s) as response:
                response.raise_for_status()
                return msgspec.json.decode(response.content, type=shape)
        except (requests.RequestException, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineError(f"the engine does not answer {url}: {error}") from error
