"""Restarts, backups and disks: from when on they are too many, too old and too full."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from ia0_daemon.alerts.conditions import backup_stale, low_disks, restart_loop

NOW = datetime(2026, 1, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Disk:
    path: str
    total_bytes: int
    free_bytes: int


@pytest.mark.parametrize(("hours", "firing"), [((0, 1, 2), True), ((0, 1, 25), False), ((), False)])
def test_a_loop_is_as_many_restarts_as_set_within_the_window(hours: tuple[int, ...], firing: bool) -> None:
    times = [NOW - hour * HOUR for hour in hours]
    assert restart_loop(times, NOW, 3, 24 * HOUR).firing is firing


@pytest.mark.parametrize(("age", "firing"), [(48, False), (49, True)])
def test_a_backup_may_become_as_old_as_set(age: int, firing: bool) -> None:
    assert backup_stale(NOW - age * HOUR, NOW, NOW, 48 * HOUR).firing is firing


def test_where_there_is_no_backup_time_counts_from_the_start() -> None:
    change = backup_stale(None, NOW - 50 * HOUR, NOW, 48 * HOUR)
    assert change.firing
    assert change.summary == "No backup was made for 50.0 hours; 48 are allowed."


def test_without_a_bound_no_backup_is_too_old() -> None:
    assert not backup_stale(None, NOW - 5000 * HOUR, NOW, timedelta()).firing


def test_a_disk_is_low_below_the_bound_and_stays_so_for_a_margin() -> None:
    assert low_disks([Disk("/a", 1000, 49), Disk("/b", 1000, 50)], 5, low_before=False) == {"/a": 4.9}
    assert low_disks([Disk("/a", 1000, 59)], 5, low_before=True) == {"/a": 5.9}
    assert low_disks([Disk("/a", 1000, 60)], 5, low_before=True) == {}


def test_a_disk_without_a_size_is_not_judged() -> None:
    assert low_disks([Disk("/proc", 0, 0)], 5, low_before=False) == {}
