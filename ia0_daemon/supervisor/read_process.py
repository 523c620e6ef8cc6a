"""Processes as `/proc` tells them, without privileges.

Owns the forms of `/proc/<pid>/stat`, `status` and `cmdline`, and the way from
one process to all below it. Never says what a process is for
(`read_engine.py` does).

A process may end, and its pid may be used again, between two reads: a whole
read begins and ends with the start time, and counts only if they are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

_KIBIBYTE = 1024
# Fields of /proc/<pid>/stat behind the name: proc(5) counts from 1, and the state is field 3.
_STATE, _PARENT, _STARTED = 3 - 3, 4 - 3, 22 - 3
_ENDED = frozenset("ZX")


@dataclass(frozen=True)
class Stat:
    """Who a process is, and whose child."""

    pid: int
    parent: int
    started: int


@dataclass(frozen=True)
class Memory:
    """What a process has in memory, in bytes."""

    anon: int
    swap: int
    file: int


@dataclass(frozen=True)
class Process:
    """One process, read as a whole."""

    stat: Stat
    memory: Memory
    arguments: tuple[str, ...]


def read_stat(proc: Path, pid: int) -> Stat | None:
    """Who has this pid now; None where nobody has, or one who has ended."""
    text = _read(proc / str(pid) / "stat")
    # The name (field 2) stands in brackets and may hold blanks and brackets itself.
    fields = text.rpartition(b")")[2].split()
    if len(fields) <= _STARTED or fields[_STATE].decode() in _ENDED:
        return None
    return Stat(pid, int(fields[_PARENT]), int(fields[_STARTED]))


def read_process(proc: Path, stat: Stat) -> Process | None:
    """Memory and arguments; None where the process has ended, or is another by now."""
    memory = _memory(_read(proc / str(stat.pid) / "status"))
    arguments = _read(proc / str(stat.pid) / "cmdline")
    again = read_stat(proc, stat.pid)
    if memory is None or again is None or again.started != stat.started:
        return None
    return Process(stat, memory, tuple(arguments.decode("utf-8", "replace").rstrip("\0").split("\0")))


def read_tree(proc: Path, root: int) -> list[Process]:
    """A process and all below it, itself first; empty where it is not there.

    All stat files are read, since a process knows its parent only.
    """
    first = read_stat(proc, root)
    if first is None:
        return []
    below: dict[int, list[Stat]] = defaultdict(list)
    for pid in _pids(proc):
        stat = read_stat(proc, pid)
        if stat is not None:
            below[stat.parent].append(stat)
    return _read_below(proc, first, below)


def read_processes(proc: Path, pids: Iterable[int]) -> list[Process]:
    """Processes by their pids, without those that have ended."""
    stats = (read_stat(proc, pid) for pid in pids)
    found = (read_process(proc, stat) for stat in stats if stat is not None)
    return [process for process in found if process is not None]


def _read_below(proc: Path, first: Stat, below: dict[int, list[Stat]]) -> list[Process]:
    found: list[Process] = []
    waiting = [first]
    while waiting:
        stat = waiting.pop()
        # Taken out, so that a parent that is read twice cannot make this endless.
        waiting += below.pop(stat.pid, [])
        process = read_process(proc, stat)
        if process is not None:
            found.append(process)
    return found


def _pids(proc: Path) -> list[int]:
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]


def _memory(status: bytes) -> Memory | None:
    """The sizes of a status file; None for what has no memory of its own, as kernel threads."""
    sizes = {}
    for line in status.splitlines():
        name, _, rest = line.partition(b":")
        if name in {b"RssAnon", b"RssFile", b"RssShmem", b"VmSwap"}:
            sizes[name] = int(rest.split()[0]) * _KIBIBYTE
    if b"RssAnon" not in sizes:
        return None
    file = sizes.get(b"RssFile", 0) + sizes.get(b"RssShmem", 0)
    return Memory(sizes[b"RssAnon"], sizes.get(b"VmSwap", 0), file)


def _read(path: Path) -> bytes:
    """A file of `/proc`; empty where the process has ended or is hidden from this user."""
    try:
        with path.open("rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""
