"""What the engine's unit adds to a sample: processes that its tree does not show, and its memory limits.

    control group -> cgroup.procs -> pids, orphans included
    MemoryMax, MemoryHigh, MemoryCurrent of `systemctl show` -> Limit

systemd tells the limits on both versions of cgroups, and also where their files
are hidden. Its MemoryCurrent counts file cache, so what the processes hold is
the better figure where it is less.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ia0_daemon.supervisor.read_limit import Limit
from ia0_daemon.supervisor.read_process import PROC
from ia0_daemon.supervisor.unit_controller import UnitController

# How often systemd is asked what the limits are, in seconds; at every sample where half of one is held.
LIMITS_INTERVAL_S = 60.0
NEAR = 2


class UnitReader:
    """Reads what belongs to one unit."""

    def __init__(self, unit: UnitController, proc: Path = PROC) -> None:
        self._unit, self._proc = unit, proc
        self._limit_bytes = float("inf")

    def pids(self) -> list[int]:
        """The processes of the unit's cgroup; empty where its file is not to be seen."""
        group = self._unit.control_group
        for folder in _folders(self._proc, group) if group else ():
            text = _text(folder / "cgroup.procs")
            if text:
                # 0 stands for a process outside of this container.
                return [int(line) for line in text.split() if line.isdigit() and line != "0"]
        return []

    def limit(self, held_bytes: int) -> Limit | None:
        """The lower of MemoryMax and MemoryHigh; None where there is neither."""
        is_near = held_bytes * NEAR > self._limit_bytes
        state = self._unit.state(0.0 if is_near else LIMITS_INTERVAL_S)
        limits = {} if state is None else {"MemoryMax": state.memory_max, "MemoryHigh": state.memory_high}
        known = {name: size for name, size in limits.items() if size is not None}
        if state is None or not known:
            self._limit_bytes = float("inf")
            return None
        name = min(known, key=lambda each: known[each])
        self._limit_bytes = known[name]
        # What is in swap is held, too, and does not count against this limit; MemoryCurrent has none of it.
        current = state.memory_current if is_near else None
        used = held_bytes if current is None else min(current, held_bytes)
        return Limit(known[name], used, f"{name} of {self._unit.name}", max(0, known[name] - used))


def _folders(proc: Path, group: str) -> Iterator[Path]:
    """Where the unit's cgroup is: in v2's hierarchy, and in systemd's own of v1."""
    for line in _text(proc / "self" / "mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        before, after = left.split(), right.split()
        is_v2 = after[:1] == ["cgroup2"]
        if is_v2 or (after[:1] == ["cgroup"] and "name=systemd" in after[-1].split(",")):
            inside, root = PurePosixPath(group), before[3]
            if root != "/" and inside.is_relative_to(root):
                inside = PurePosixPath("/") / inside.relative_to(root)
            if ".." not in inside.parts:
                yield Path(before[4]) / inside.relative_to("/")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
