"""An engine of two real processes whose child does with its memory what a test tells it.

    with RealEngine(tmp_path) as engine:
        engine.tell("leak 64")       # anonymous memory, touched
        engine.tell("map 64 FILE")   # a file in the page cache, mmapped and touched

Run as a program it is the child.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

MIB = 2**20
PAGE = 4096
BLOB = "blobs/sha256-" + "ab" * 32
# The parent does what `ollama serve` does as far as memory goes: it has a child and is small.
PARENT = "import subprocess, sys; subprocess.call([sys.executable, sys.argv[1], '--model', sys.argv[2]])"


class RealEngine:
    """The two processes, and the pipe to the child."""

    def __init__(self, models: Path) -> None:
        self._models = models

    @property
    def pid(self) -> int:
        """The parent's."""
        return self._process.pid

    def __enter__(self) -> RealEngine:
        line = [sys.executable, "-c", PARENT, __file__, str(self._models / BLOB)]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._answer() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()  # at its end the child ends, and then the parent
        self._process.wait(30)
        self._process.stdout.close()

    def tell(self, command: str) -> None:
        """Give the child a command and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        assert self._answer() == "done"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def obey(held: list[bytearray | mmap.mmap]) -> None:
    """Carry out the commands until the pipe ends."""
    say("ready")
    for line in sys.stdin:
        word, size, *rest = line.split()
        if word == "leak":
            held.append(leak(int(size) * MIB))
        else:
            held.append(mapped(Path(rest[0]), int(size) * MIB))
        say("done")


def say(word: str) -> None:
    """Tell the test that waits for it."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def leak(size: int) -> bytearray:
    """Anonymous memory with every page touched."""
    block = bytearray(size)
    for offset in range(0, size, PAGE):
        block[offset] = 1
    return block


def mapped(path: Path, size: int) -> mmap.mmap:
    """A file that was just read and is mapped, with every page touched: weights, as on a GPU host."""
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    with path.open("rb") as file:
        block = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    for offset in range(0, size, PAGE):
        block[offset]
    return block


if __name__ == "__main__":
    obey([])
