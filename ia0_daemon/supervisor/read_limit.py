"""The memory limit around a process: cgroups, of both versions, all the way up.

    /proc/<pid>/cgroup + /proc/self/mountinfo -> the folder of its cgroup -> it and its parents

Owns the cgroups' files. File cache does not count as used: the kernel takes it
back before it kills, and mmapped weights are in it. Files that are missing or
closed are no limit, since a container shows only a part of the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# v1 writes "none" as the largest number of pages; no machine comes near an exbibyte.
_NONE_BYTES = 2**60


@dataclass(frozen=True)
class Limit:
    """The lowest limit, and the least that any of them has left."""

    bytes: int
    used_bytes: int
    source: str
    headroom_bytes: int


@dataclass(frozen=True)
class _Mount:
    """One hierarchy: where it is mounted, and which of its folders is there."""

    root: str
    point: Path
    is_v2: bool


def read_limit(proc: Path, process: str) -> Limit | None:
    """The limit around a process (a pid, or `self`); None where there is none."""
    limits = [
        limit
        for mount in _mounts(_text(proc / "self" / "mountinfo"))
        for folder in _folders(mount, _cgroup(_text(proc / process / "cgroup"), mount.is_v2))
        if (limit := (_v2 if mount.is_v2 else _v1)(folder)) is not None
    ]
    if not limits:
        return None
    lowest = min(limits, key=lambda limit: limit.bytes)
    headroom = min(limit.headroom_bytes for limit in limits)
    return Limit(lowest.bytes, lowest.used_bytes, lowest.source, headroom)


def lower(measured: Limit | None, told: Limit | None) -> Limit | None:
    """The lower of two limits with the least headroom of both; of equal ones the measured one."""
    if measured is None or told is None:
        return measured or told
    lowest = told if told.bytes < measured.bytes else measured
    headroom = measured.headroom_bytes
    if told.bytes != measured.bytes:
        headroom = min(headroom, told.headroom_bytes)
    return Limit(lowest.bytes, lowest.used_bytes, lowest.source, headroom)


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    """The hierarchies that can limit memory."""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        before, after = left.split(), right.split()
        if after[:1] == ["cgroup2"]:
            yield _Mount(before[3], Path(before[4]), is_v2=True)
        elif after[:1] == ["cgroup"] and "memory" in after[-1].split(","):
            yield _Mount(before[3], Path(before[4]), is_v2=False)


def _cgroup(text: str, is_v2: bool) -> str | None:
    """The process' path in the hierarchy of v2 or of v1's memory controller."""
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if (number == "0" and not controllers) if is_v2 else "memory" in controllers.split(","):
            return path
    return None


def _folders(mount: _Mount, path: str | None) -> Iterator[Path]:
    """The cgroup's folder and its parents, up to where the hierarchy is mounted."""
    if path is None:
        return
    # A container's mount shows its own cgroup as the top; the path may be told from further up.
    inside = PurePosixPath(path)
    if mount.root != "/" and inside.is_relative_to(mount.root):
        inside = PurePosixPath("/") / inside.relative_to(mount.root)
    for folder in (inside, *inside.parents):
        if ".." not in folder.parts:
            yield mount.point / folder.relative_to("/")


def _v2(folder: Path) -> Limit | None:
    return _limit(
        folder,
        ("memory.max", "memory.high"),
        "memory.current",
        lambda stat: (
            stat.get("inactive_file", 0) + stat.get("active_file", 0) + stat.get("slab_reclaimable", 0)
        ),
    )


def _v1(folder: Path) -> Limit | None:
    return _limit(
        folder,
        ("memory.limit_in_bytes",),
        "memory.usage_in_bytes",
        lambda stat: stat.get("total_inactive_file", 0) + stat.get("total_active_file", 0),
    )


def _limit(
    folder: Path, limits: tuple[str, ...], usage: str, cache: Callable[[dict[str, int]], int]
) -> Limit | None:
    """The lowest of a folder's limits. Beyond memory.high nothing is killed, but all is stalled."""
    sizes = {name: size for name in limits if (size := _number(folder / name)) is not None}
    used = _number(folder / usage)
    if not sizes or used is None:
        return None
    name = min(sizes, key=lambda each: sizes[each])
    if sizes[name] >= _NONE_BYTES:
        return None
    held = max(0, used - cache(dict(_stat(_text(folder / "memory.stat")))))
    return Limit(sizes[name], held, str(folder / name), max(0, sizes[name] - held))


def _stat(text: str) -> Iterator[tuple[str, int]]:
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.isdigit():
            yield name, int(value)


def _number(path: Path) -> int | None:
    """A file's number; None where it says `max`, or is not there."""
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
