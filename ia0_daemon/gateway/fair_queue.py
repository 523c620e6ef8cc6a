"""Who gets a model's next slot: the waiting key that holds the fewest, in turns among equals.

Owns the lines of the keys and how many slots each holds. Pure and not safe to
use from many threads: `slots.py` has the lock. Never waits and never refuses.

    join -> (next_one) -> holds a slot -> release
    take ------------------^

Turns are those of start-time fair queueing: a key that is served moves one
round on, a key that comes starts in the round that is being served. So a key
that was just served comes after one that was not, however many wait for it, and
hours of silence earn nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Key(Generic[T]):
    """One API key: who waits for it, in order; how many slots it holds; the round that it is in."""

    round: int
    line: dict[T, None] = field(default_factory=dict)
    held: int = 0


class FairQueue(Generic[T]):
    """The lines before the slots of one model. What waits is hashable, each one once."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key[T]] = {}
        self._round = 0
        self.waiting = 0
        """How many wait."""
        self.busy = 0
        """How many slots are held."""

    def join(self, name: str, one: T) -> None:
        """Wait at the end of a key's line."""
        key = self._key(name)
        if not key.line:
            key.round = max(key.round, self._round)
        key.line[one] = None
        self.waiting += 1

    def leave(self, name: str, one: T) -> None:
        """Wait no longer, and without a slot."""
        del self._keys[name].line[one]
        self.waiting -= 1

    def take(self, name: str) -> None:
        """Hold a slot without having waited."""
        key = self._key(name)
        key.round = max(key.round, self._round)
        self._serve(key)

    def next_one(self) -> T | None:
        """Give the next slot to whom it belongs, and name that one; none where nobody waits."""
        lines = [key for key in self._keys.values() if key.line]
        if not lines:
            return None
        key = min(lines, key=lambda key: (key.held, key.round))
        one = next(iter(key.line))
        del key.line[one]
        self.waiting -= 1
        self._serve(key)
        return one

    def release(self, name: str) -> None:
        """Give a slot back."""
        self._keys[name].held -= 1
        self.busy -= 1
        self._forget()

    def _key(self, name: str) -> _Key[T]:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = _Key(self._round)
        return key

    def _serve(self, key: _Key[T]) -> None:
        self._round = max(self._round, key.round)
        key.round += 1
        key.held += 1
        self.busy += 1

    def _forget(self) -> None:
        """Drop the keys that would come back as new ones do; all of them where nothing is held or wanted."""
        idle = not self.busy and not self.waiting
        gone = [
            name
            for name, key in self._keys.items()
            if idle or not (key.line or key.held or key.round > self._round)
        ]
        for name in gone:
            del self._keys[name]
