"""What came of all requests, by code, split into what was meant and what was not.

Owns the counts. Never decides what a request was meant to be.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

LIMITED = 429


@dataclass
class Ledger:
    """Counts by `kind status code`."""

    meant: Counter[str] = field(default_factory=Counter)
    """Answers, and refusals of what was to be refused."""
    limited: Counter[str] = field(default_factory=Counter)
    """Refusals for a key's limits."""
    unexpected: Counter[str] = field(default_factory=Counter)

    def note(self, name: str, status: int, code: str, meant: int) -> bool:
        """Count one; true where it was meant, or a limit's."""
        place = self.meant if status == meant else self.limited if status == LIMITED else self.unexpected
        place[f"{name}: {status} {code}".rstrip()] += 1
        return place is not self.unexpected

    def note_broken(self, name: str, why: str) -> None:
        """Count an answer that was none, or that ended as none may."""
        self.unexpected[f"{name}: {why}"] += 1

    def save(self, path: Path) -> None:
        """Write it for the process that reports."""
        path.write_bytes(msgspec.json.encode(self))

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Read it."""
        read = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, int]])
        return cls(**{name: Counter(counts) for name, counts in read.items()})
