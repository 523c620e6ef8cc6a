"""Whether the engine makes progress: what is asked of each model, and when it was last heard.

Tokens on live traffic are the best proof of life there is, and cost nothing.
Owns these times; never judges them (`supervisor/ailing.py` does).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silence:
    """A model of which answers are expected. Times are monotonic seconds."""

    asked: int
    """Requests that wait for it or are being answered."""
    writing: int
    """Those of them that have had their first token."""
    since: float
    """When it was last heard, or first asked."""


class Progress:
    """The requests that are with the engine, by the engine's tag. Safe to use from many threads."""

    def __init__(self) -> None:
        self._models: dict[str, Silence] = {}
        self._began = time.monotonic()
        self._alive: dict[str, float] = {}
        self._doubted: set[str] = set()
        self._lock = threading.Lock()

    def ask(self, tag: str) -> None:
        """Say that a request was sent."""
        with self._lock:
            before = self._models.get(tag, Silence(0, 0, time.monotonic()))
            self._models[tag] = Silence(before.asked + 1, before.writing, before.since)

    def begin(self, tag: str) -> None:
        """Say that an answer's first token has come."""
        with self._lock:
            before = self._models[tag]
            self._models[tag] = Silence(before.asked, before.writing + 1, time.monotonic())
            self._note_alive(tag)

    def heard(self, tag: str) -> None:
        """Say that another token has come."""
        with self._lock:
            before = self._models[tag]
            self._models[tag] = Silence(before.asked, before.writing, time.monotonic())
            self._note_alive(tag)

    def end(self, tag: str, *, wrote: bool) -> None:
        """Say that a request is over, however it ended."""
        with self._lock:
            before = self._models.pop(tag)
            if before.asked > 1:
                writing = before.writing - wrote
                self._models[tag] = Silence(before.asked - 1, writing, before.since)

    def finished(self, tag: str) -> None:
        """Say that an answer came to its end, with a token or without: that is life, too."""
        with self._lock:
            self._note_alive(tag)

    def doubt(self, tag: str) -> None:
        """Say that a request waited for its first token in vain."""
        with self._lock:
            self._doubted.add(tag)

    def is_doubted(self, tag: str) -> bool:
        """Say whether one has waited in vain, and nothing has come since."""
        return tag in self._doubted

    def alive_at(self, tag: str) -> float:
        """Give when it was last heard, however long ago; the beginning of all where it never was."""
        return self._alive.get(tag, self._began)

    def _note_alive(self, tag: str) -> None:
        self._alive[tag] = time.monotonic()
        self._doubted.discard(tag)

    def silences(self) -> dict[str, Silence]:
        """Give every model that something is expected of."""
        with self._lock:
            return dict(self._models)
