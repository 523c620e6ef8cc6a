"""The alerts that no single event decides: too many restarts, a backup that does not come, a full disk.

Owns those judgements. Pure: times and bounds are given.

    restart_loop(times, now, ...) -> Change; backup_stale(newest, now, ...) -> Change; low_disks(...) -> paths
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from ia0_daemon.alerts.rules import Alert, Change

# A disk that was low must have this much more than the bound before it is not: its margin, as a factor.
ENOUGH_AGAIN = 1.2


class Disk(Protocol):
    """A watched disk, as a sample has it; sizes in bytes."""

    @property
    def path(self) -> str:
        """The folder that is watched."""
        ...

    @property
    def total_bytes(self) -> int:
        """How large the disk is."""
        ...

    @property
    def free_bytes(self) -> int:
        """How much of it the daemon could still write."""
        ...


def restart_loop(times: Sequence[datetime], now: datetime, count: int, window: timedelta) -> Change:
    """Whether the engine was restarted `count` times within the window."""
    recent = [time for time in times if now - window < time]
    hours = window.total_seconds() / 3600
    summary = f"The engine was restarted {len(recent)} times within {hours:g} hours; {count} are a loop."
    details: dict[str, object] = {"restarts": len(recent), "window_s": window.total_seconds()}
    return Change(Alert.RESTART_LOOP, len(recent) >= count, summary, "error", details)


def backup_stale(newest: datetime | None, since: datetime, now: datetime, limit: timedelta) -> Change:
    """Whether the newest backup is too old; where there is none, the time counts from `since`. 0: never."""
    age = now - (newest or since)
    hours, allowed = age.total_seconds() / 3600, limit.total_seconds() / 3600
    what = "No backup was made for" if newest is None else "The newest backup has the age of"
    summary = f"{what} {hours:.1f} hours; {allowed:g} are allowed."
    details: dict[str, object] = {"age_s": round(age.total_seconds()), "limit_s": limit.total_seconds()}
    return Change(Alert.BACKUP_STALE, bool(limit) and age > limit, summary, "error", details)


def low_disks(disks: Iterable[Disk], percent: float, low_before: bool) -> dict[str, float]:
    """The disks with less than `percent` free, and how much each has, in percent; with hysteresis."""
    bound = percent * ENOUGH_AGAIN if low_before else percent
    free = {disk.path: 100 * disk.free_bytes / disk.total_bytes for disk in disks if disk.total_bytes > 0}
    return {path: round(part, 1) for path, part in free.items() if part < bound}
