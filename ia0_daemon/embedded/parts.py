"""The parts of a download and their files: ``sha256-<hex>-partial`` and ``-partial-0...N``.

Owns how a blob is divided (Ollama: 16 parts, each of 100 MB to 1 GB) and how far
each part has come, on the disk, so that a later pull goes on where this one
ended. Never asks a registry.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

_PARTS = 16
_LEAST, _MOST = 100_000_000, 1_000_000_000


class Part(
    msgspec.Struct, rename={"number": "N", "offset": "Offset", "size": "Size", "completed": "Completed"}
):
    """A stretch of the blob and how many of its bytes are there."""

    number: int
    offset: int
    size: int
    completed: int = 0

    @property
    def start(self) -> int:
        """The first byte that is missing."""
        return self.offset + self.completed

    @property
    def end(self) -> int:
        """The first byte behind the part."""
        return self.offset + self.size

    @property
    def is_done(self) -> bool:
        """Whether all its bytes are there."""
        return self.completed >= self.size


class Partial:
    """The files of one unfinished blob."""

    def __init__(self, blob: Path) -> None:
        self._blob = blob
        self.path = blob.with_name(blob.name + "-partial")

    def parts(self, total: int) -> list[Part]:
        """The parts as an earlier pull left them, or new ones."""
        kept = self._kept()
        if kept and self.path.exists() and sum(part.size for part in kept) == total:
            return kept
        fresh = [Part(number, start, size) for number, (start, size) in enumerate(_divided(total))]
        with self.path.open("wb") as file:
            file.truncate(total)
        for part in fresh:
            self.save(part)
        return fresh

    def _kept(self) -> list[Part]:
        parts = []
        for file in self._blob.parent.glob(self.path.name + "-*"):
            try:
                parts.append(msgspec.json.decode(file.read_bytes(), type=Part))
            except msgspec.MsgspecError:
                return []
        return sorted(parts, key=lambda part: part.number)

    def save(self, part: Part) -> None:
        """Write down how far a part has come."""
        self.path.with_name(f"{self.path.name}-{part.number}").write_bytes(msgspec.json.encode(part))

    def finish(self) -> None:
        """The blob is whole: give it its name, and forget the parts."""
        for file in self._blob.parent.glob(self.path.name + "-*"):
            file.unlink()
        self.path.rename(self._blob)


def _divided(total: int) -> Iterator[tuple[int, int]]:
    size = min(max(total // _PARTS, _LEAST), _MOST)
    for start in range(0, total, size):
        yield start, min(size, total - start)
    if total == 0:
        yield 0, 0
