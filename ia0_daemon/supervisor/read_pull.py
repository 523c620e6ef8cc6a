"""Whether a model is being pulled, as its parts on the disk tell.

The daemon knows its own pulls; one that somebody starts at the engine itself
shows only as `blobs/sha256-<hex>-partial*` files that change. Parts that no
longer change are a pull that was given up.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# Ollama calls a part stalled after 30 s without bytes and asks for it again; twice that is no pull.
STALLED_S = 60.0

_Marks = frozenset[tuple[str, int, int]]


class PullWatch:
    """Remembers the parts and when they last changed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._marks: dict[str, _Marks] = {}
        self._changed_at = float("-inf")

    def is_pulling(self, models: str) -> bool:
        """Look at a models folder; empty means that it is not known."""
        if not models:
            return False
        marks = _marks(Path(models) / "blobs")
        before = self._marks.get(models)
        self._marks = {models: marks}
        # The first look cannot tell a change, and parts may lie there since last year.
        if marks and before is not None and marks != before:
            self._changed_at = self._clock()
        return bool(marks) and self._clock() - self._changed_at <= STALLED_S


def _marks(blobs: Path) -> _Marks:
    """Name, time of change and blocks of each part: Ollama makes them at full size and fills them."""
    found = set()
    try:
        with os.scandir(blobs) as entries:
            for entry in entries:
                if "-partial" in entry.name:
                    stat = entry.stat()
                    found.add((entry.name, stat.st_mtime_ns, stat.st_blocks))
    except OSError:  # no such folder, closed to this user, or a part has just become a blob
        return frozenset(found)
    return frozenset(found)
