"""The tokens of the day, by key: what `tokens_per_day` is held against.

Owns the day's turn (0:00 UTC) and what is yet to be written. Never touches a disk: `usage_database.py` does.

    add / total -> the day's book -> take_unwritten -> (written, or put back)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

DAY_S = 86400


def day_text(day: int) -> str:
    """Write a day's number (since 1970-01-01, UTC) as a date."""
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()


class DayBook:
    """Tokens of today in memory. Safe from many threads; `wall` gives seconds since 1970."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._day = int(wall() // DAY_S)
        self._totals: dict[str, int] = {}
        self._unwritten: dict[tuple[int, str], int] = {}
        """Tokens by day and key that were added and not yet taken."""

    @property
    def today(self) -> int:
        """Give the day's number."""
        return int(self._wall() // DAY_S)

    def left_s(self) -> float:
        """Give how long the day still lasts."""
        return DAY_S - self._wall() % DAY_S

    def total(self, name: str) -> int:
        """Give a key's tokens of today."""
        with self._lock:
            self._turn()
            return self._totals.get(name, 0)

    def add(self, name: str, tokens: int) -> None:
        """Add tokens that nobody else knows of yet."""
        with self._lock:
            day = self._turn()
            self._totals[name] = self._totals.get(name, 0) + tokens
            self._unwritten[day, name] = self._unwritten.get((day, name), 0) + tokens

    def learn(self, day: int, totals: Mapping[str, int]) -> None:
        """Take what was counted elsewhere for a day; what is unwritten here comes on top.

        A count never falls within a day: a store that has forgotten it gives nobody more tokens.
        """
        with self._lock:
            if day != self._turn():
                return
            for name, tokens in totals.items():
                known = tokens + self._unwritten.get((day, name), 0)
                self._totals[name] = max(known, self._totals.get(name, 0))

    def take_unwritten(self) -> dict[tuple[int, str], int]:
        """Give what is to be written, by day and key, and forget it; `put_back` where it was not written."""
        with self._lock:
            taken, self._unwritten = self._unwritten, {}
            return taken

    def put_back(self, taken: Mapping[tuple[int, str], int]) -> None:
        """Remember again what could not be written; days before yesterday bind nobody any more."""
        with self._lock:
            day = self._turn()
            for (of, name), tokens in taken.items():
                if of >= day - 1:
                    self._unwritten[of, name] = self._unwritten.get((of, name), 0) + tokens

    def _turn(self) -> int:
        day = int(self._wall() // DAY_S)
        if day != self._day:
            self._day = day
            self._totals.clear()
        return day
