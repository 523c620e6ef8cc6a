"""Whether the engine makes progress: who is writing an answer, and when it was last heard.

Tokens on live traffic are the best proof of life there is, and cost nothing.
Owns these times; never judges them (`supervisor/ailing.py` does).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Writing:
    """A model's answers that have begun and not ended."""

    answers: int
    heard_at: float
    """Monotonic seconds of the latest token of any of them."""


class Progress:
    """The answers that are being written, by the engine's tag. Safe to use from many threads."""

    def __init__(self) -> None:
        self._writing: dict[str, Writing] = {}
        self._lock = threading.Lock()

    def begin(self, tag: str) -> None:
        """Say that an answer's first token has come."""
        with self._lock:
            before = self._writing.get(tag)
            self._writing[tag] = Writing((before.answers if before else 0) + 1, time.monotonic())

    def heard(self, tag: str) -> None:
        """Say that another token has come."""
        with self._lock:
            before = self._writing.get(tag)
            if before is not None:
                self._writing[tag] = Writing(before.answers, time.monotonic())

    def end(self, tag: str) -> None:
        """Say that an answer has ended, however it did."""
        with self._lock:
            before = self._writing.pop(tag, None)
            if before is not None and before.answers > 1:
                self._writing[tag] = Writing(before.answers - 1, before.heard_at)

    def silent_for_s(self) -> dict[str, float]:
        """Give the seconds since a token was heard, for each model that is writing an answer."""
        now = time.monotonic()
        with self._lock:
            return {tag: now - writing.heard_at for tag, writing in self._writing.items()}
