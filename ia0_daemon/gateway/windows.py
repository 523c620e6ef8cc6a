"""How many of something came in the last minute: sliding windows.

Owns the counting within this process, and what a window's figures mean. The storages of the library
`limits` have the same methods, so the shared store is counted in the same way. Its storage in memory is not
used: it starts a thread for a count (164 us where counts are 20 ms apart, measured 2026-11-25) and is not
exact between threads.

    (previous count, how long it weighs, current count, how long it lives) -> used -> wait_s
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

MINUTE_S = 60


class Window(NamedTuple):
    """Two neighbouring minutes, as `limits` gives them; the older one weighs less the older it becomes."""

    previous: int
    previous_s: float
    """How long the previous minute still weighs."""
    current: int
    current_s: float
    """How long until the current one does not weigh any more, a minute as the previous one included."""

    @property
    def used(self) -> int:
        """How many count now."""
        return int(self.previous * self.previous_s / MINUTE_S) + self.current

    @property
    def reset_s(self) -> float:
        """How long until the current minute becomes the previous one."""
        return max(0.0, self.current_s - MINUTE_S)


def wait_s(window: Window, limit: int) -> float:
    """Give how long it takes until one more is within the limit; 0 where it is now."""
    if window.used < limit:
        return 0.0
    if window.current < limit:  # it is enough that the previous minute weighs less
        return window.previous_s - (limit - window.current) * MINUTE_S / window.previous
    return window.reset_s + MINUTE_S * (1 - limit / window.current)


class Windows(Protocol):
    """What counts; a part of `limits`' `SlidingWindowCounterSupport`."""

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Give a window's figures."""

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count where that does not go beyond the limit, and say whether it did not."""


class LocalWindows:
    """Windows of this process, exact between threads. There are two for a key that is bounded: no more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, int, int]] = {}
        """By key: the number of the current window, its count, the previous one's."""

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Give a window's figures."""
        with self._lock:
            return self._look(key, expiry)[1]

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count where that does not go beyond the limit, and say whether it did not."""
        with self._lock:
            number, window = self._look(key, expiry)
            if window.used + amount > limit:
                return False
            self._counts[key] = (number, window.current + amount, window.previous)
            return True

    def _look(self, key: str, expiry: int) -> tuple[int, Window]:
        now = self._clock()
        number = int(now // expiry)
        left_s = expiry - now % expiry
        at, current, previous = self._counts.get(key, (number, 0, 0))
        if number == at + 1:
            current, previous = 0, current
        elif number != at:
            current, previous = 0, 0
        return number, Window(previous, left_s, current, left_s + expiry)
