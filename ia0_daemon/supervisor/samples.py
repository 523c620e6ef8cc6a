"""What one look at the machine saw: the engine, the host, the GPUs, the disks.

Owns the shapes of a sample. Never reads anything (`read_*.py` do) and never
judges.

    read_sample -> Sample -> judge -> Verdict -> decide -> Action

All sizes are bytes. "Held" is what a process keeps from others and cannot give
back by itself: anonymous memory, whether in RAM or in swap. Page cache and
mmapped weights are not held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

FindEngine = Callable[[], int | None]
"""Gives the pid of the engine's parent process; None where there is none, or not on this machine."""


@dataclass(frozen=True)
class Identity:
    """One process for as long as the machine runs; a pid alone is used again."""

    pid: int
    started: int
    """Clock ticks since boot (field 22 of /proc/<pid>/stat)."""


@dataclass(frozen=True)
class Child:
    """A process that holds one loaded model."""

    pid: int
    started: int
    tag: str
    """The engine's name of the model; ``sha256:<12 digits>`` where no manifest names its weights."""
    digest: str
    """``sha256:<hex>`` of the weights; empty where the command line names no blob."""
    rss_anon_bytes: int
    swap_bytes: int
    rss_file_bytes: int = 0
    """Weights that are mmapped, among others; never judged."""
    loaded: bool | None = None
    """Whether the child itself says that it has loaded; None where it was not asked or did not say."""

    @property
    def identity(self) -> Identity:
        """Pid and start time."""
        return Identity(self.pid, self.started)

    @property
    def held_bytes(self) -> int:
        """What it keeps from others."""
        return self.rss_anon_bytes + self.swap_bytes

    def saying(self, loaded: bool | None) -> Child:
        """The same child with its answer whether it has loaded."""
        return replace(self, loaded=loaded)


@dataclass(frozen=True)
class EngineTree:
    """The engine's parent process with everything below it."""

    pid: int
    held_bytes: int
    """Of the whole tree: parent, models' children, and others such as those that look for GPUs."""
    children: tuple[Child, ...] = ()
    started: int = 0

    @property
    def identity(self) -> Identity:
        """Pid and start time of the parent."""
        return Identity(self.pid, self.started)

    @property
    def rest_bytes(self) -> int:
        """What is held by processes that have no model."""
        return self.held_bytes - sum(child.held_bytes for child in self.children)


@dataclass(frozen=True)
class Host:
    """The machine's memory, and the tightest limit around the engine where there is one."""

    total_bytes: int
    available_bytes: int
    swap_total_bytes: int = 0
    swap_used_bytes: int = 0
    limit_bytes: int | None = None
    limit_used_bytes: int | None = None
    """Without file cache, which the kernel takes back before it kills."""
    limit_source: str = ""
    """Which cgroup sets the limit, for people."""
    limit_headroom_bytes: int | None = None
    """The least that any limit up the tree has left; a wider one may be fuller, by others' use."""

    @property
    def capacity_bytes(self) -> int:
        """The lower of the machine's memory and the limit: what percentages are of."""
        return self.total_bytes if self.limit_bytes is None else min(self.total_bytes, self.limit_bytes)

    @property
    def headroom_bytes(self) -> int:
        """The lower of what the machine and what the limit still have to give."""
        if self.limit_headroom_bytes is not None:
            return min(self.available_bytes, self.limit_headroom_bytes)
        if self.limit_bytes is None or self.limit_used_bytes is None:
            return self.available_bytes
        return min(self.available_bytes, max(0, self.limit_bytes - self.limit_used_bytes))


@dataclass(frozen=True)
class Gpu:
    """One card, as NVML tells it."""

    index: int
    name: str
    uuid: str
    total_bytes: int
    used_bytes: int
    utilization_percent: int | None = None
    temperature_c: int | None = None

    @property
    def free_bytes(self) -> int:
        """What is left on the card."""
        return max(0, self.total_bytes - self.used_bytes)


@dataclass(frozen=True)
class Disk:
    """The file system that a folder lies on."""

    path: str
    total_bytes: int
    free_bytes: int
    """What an ordinary user may still write."""


@dataclass(frozen=True)
class Sample:
    """One look at everything."""

    at_monotonic: float
    engine: EngineTree | None
    """None where no engine runs on this machine, or it ended while it was read."""
    host: Host
    gpus: tuple[Gpu, ...] = ()
    disks: tuple[Disk, ...] = ()
    pulling: bool = False
    """Whether a model is being pulled; a restart would throw parts of it away."""
