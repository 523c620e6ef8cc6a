"""Whether the engine makes progress: what is asked of each model, and when it was last heard.

Tokens on live traffic are the best proof of life there is, and cost nothing.
Owns these times; never judges them (`supervisor/ailing.py` does).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace


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
        self._lock = threading.Lock()

    def ask(self, tag: str) -> None:
        """Say that a request was sent."""
        with self._lock:
            before = self._models.get(tag, Silence(0, 0, time.monotonic()))
            self._models[tag] = replace(before, asked=before.asked + 1)

    def begin(self, tag: str) -> None:
        """Say that an answer's first token has come."""
        with self._lock:
            before = self._models[tag]
            self._models[tag] = replace(before, writing=before.writing + 1, since=time.monotonic())

    def heard(self, tag: str) -> None:
        """Say that another token has come."""
        with self._lock:
            self._models[tag] = replace(self._models[tag], since=time.monotonic())

    def end(self, tag: str, *, wrote: bool) -> None:
        """Say that a request is over, however it ended."""
        with self._lock:
            before = self._models.pop(tag)
            if before.asked > 1:
                writing = before.writing - wrote
                self._models[tag] = replace(before, asked=before.asked - 1, writing=writing)

    def silences(self) -> dict[str, Silence]:
        """Give every model that something is expected of."""
        with self._lock:
            return dict(self._models)
