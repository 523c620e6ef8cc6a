"""The tokens of the day where daemons share them.

Owns the numbers' names in the store. The book of this daemon learns what it says, so that the count goes on
where the store is away, and keeps what was counted meanwhile.

    total / add -> the store -> the book;   hand_over: what the book has alone -> the store
"""

from __future__ import annotations

from typing import Protocol

from ia0_daemon.gateway.usage import DAY_S, DayBook, day_text

# The store forgets a day's tokens when no clock of any daemon can still be in it.
KEPT_S = 2 * DAY_S


class Counts(Protocol):
    """Plain numbers of the store; a part of `limits`' `Storage`."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a number that is forgotten so many seconds after its first count."""

    def get(self, key: str) -> int:
        """Give a number; 0 where there is none."""


class SharedDays:
    """The tokens of the day in the store, and in the book what was counted without it."""

    def __init__(self, counts: Counts, book: DayBook) -> None:
        self._counts, self._book = counts, book

    def total(self, name: str) -> int:
        """Give a key's tokens of today, of all daemons."""
        day = self._book.today
        self._book.learn(day, {name: self._counts.get(_day_key(day, name))})
        return self._book.total(name)

    def add(self, name: str, tokens: int) -> None:
        """Add tokens of today."""
        day = self._book.today
        self._book.learn(day, {name: self._counts.incr(_day_key(day, name), KEPT_S, tokens)})

    def hand_over(self) -> None:
        """Give the store what was counted while it was away."""
        taken = self._book.take_unwritten()
        try:
            while taken:
                (day, name), tokens = next(iter(taken.items()))
                total = self._counts.incr(_day_key(day, name), KEPT_S, tokens)
                del taken[day, name]
                self._book.learn(day, {name: total})
        finally:
            self._book.put_back(taken)


def _day_key(day: int, name: str) -> str:
    return f"day:{day_text(day)}:{name}"
