"""What the engine is known to have: whether it answers, which models are there and which are loaded.

Owns the picture that health, models and the way of a request look at, so that
none of them has to wait for an engine that may be stuck. A thread asks anew
every `engine.poll_interval_s`, and at once when a request has met what the picture does not show.

    refresh(): version -> tags -> ps -> EngineState
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ia0_daemon.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ia0_daemon.engine.control import EngineControl, LoadedModel

log = logging.getLogger(__name__)

# The shortest time between two questions, however many requests ask for one; in seconds.
SHORTEST_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class EngineState:
    """The engine as it was when it was last asked."""

    reachable: bool = False
    version: str = ""
    error: str = "not asked yet"
    tags: dict[str, str] = field(default_factory=dict)
    """The digests of the models that are there, by their full names (`name:tag`)."""
    loaded: dict[str, LoadedModel] = field(default_factory=dict)
    """What `/api/ps` said, by full name."""
    checked_at: float = float("-inf")
    """Monotonic seconds of the answer."""
    since: float = field(default_factory=time.monotonic)
    """Monotonic seconds since when it has answered, or not answered."""


class EngineWatch:
    """Keeps an `EngineState` up to date. Safe to use from many threads."""

    def __init__(self, control: EngineControl, interval_s: float) -> None:
        self._control = control
        self._interval_s = interval_s
        self._state = EngineState()
        self._noted: frozenset[str] = frozenset()
        self._last_loaded: frozenset[str] = frozenset()
        self._loading: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine-watch", daemon=True)

    @property
    def state(self) -> EngineState:
        """The latest picture; at most `engine.poll_interval_s` and one question old."""
        return self._state

    def start(self) -> None:
        """Ask once, then go on asking on a thread of its own."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the connection."""
        self._stop.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()
        self._control.close()

    def refresh(self) -> EngineState:
        """Ask the engine now."""
        before = self._state
        state = self._ask()
        if before.reachable == state.reachable:
            state = replace(state, since=before.since)
        with self._lock:
            self._state = state
            self._noted = frozenset()
            if state.reachable:
                self._last_loaded = frozenset(state.loaded)
        _log_change(before, state)
        return state

    def look_soon(self) -> None:
        """Have the thread ask now: a request has found the engine other than it was."""
        self._due.set()

    def is_loaded(self, tag: str) -> bool:
        """Say whether the model is known to be loaded, so that its first token needs no loading."""
        name = full_name(tag)
        return name not in self._loading and (name in self._noted or name in self._state.loaded)

    def was_loaded(self, tag: str) -> bool:
        """Say whether the model was loaded when the engine last answered; a restart warms those."""
        return full_name(tag) in self._last_loaded

    def is_present(self, tag: str) -> bool:
        """Say whether the engine had the model when it was last asked."""
        return full_name(tag) in self._state.tags

    def digest(self, tag: str) -> str:
        """Give the model's digest; empty where the engine has not told it."""
        return self._state.tags.get(full_name(tag), "")

    def loaded(self, tag: str) -> LoadedModel | None:
        """Give what the engine says of a loaded model."""
        return self._state.loaded.get(full_name(tag))

    @contextmanager
    def loading(self, tag: str) -> Iterator[None]:
        """Take the model for not loaded in this block: Ollama's `/api/ps` lists what it is only loading, too.

        Else who asks meanwhile would wait for a whole load under the bound of a first token.
        """
        name = full_name(tag)
        with self._lock:
            self._loading.append(name)
        try:
            yield
        finally:
            with self._lock:
                self._loading.remove(name)

    def note_loaded(self, tag: str) -> None:
        """Take note that the model has just been loaded, until the next question."""
        with self._lock:
            self._noted |= {full_name(tag)}
            self._last_loaded |= {full_name(tag)}

    def forget_loaded(self) -> None:
        """Take nothing for loaded any more: the engine cut a connection, and may have been restarted."""
        with self._lock:
            self._noted = frozenset()
            self._state = replace(self._state, loaded={})

    def _ask(self) -> EngineState:
        try:
            version = self._control.version()
            tags = self._control.tags()
            loaded = {model.name: model for model in self._control.loaded()}
        except ServiceError as error:
            return EngineState(error=error.message, checked_at=time.monotonic())
        return EngineState(
            reachable=True, version=version, error="", tags=tags, loaded=loaded, checked_at=time.monotonic()
        )

    def _run(self) -> None:
        pause_s = min(self._interval_s, SHORTEST_INTERVAL_S)
        while not self._stop.wait(pause_s):
            self._due.wait(self._interval_s - pause_s)
            self._due.clear()
            if not self._stop.is_set():
                self.refresh()


def full_name(tag: str) -> str:
    """Give the name under which the engine lists a model: without a tag it is `latest`."""
    return tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest"


def _log_change(before: EngineState, now: EngineState) -> None:
    if now.reachable and not before.reachable:
        log.info("the engine answers", extra={"event": "engine_up", "engine_version": now.version})
    elif before.reachable and not now.reachable:
        log.warning("the engine does not answer", extra={"event": "engine_down", "error": now.error})
