"""Jobs run late rather than not at all, and one that fails or lasts stops no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ia0_daemon.supervisor.schedule import SOONEST_S, Schedule
from tests.unit.supervisor.restart_fakes import until

# Far enough away that a test is over before.
NEVER_S = 3600.0


@pytest.fixture
def failed() -> list[str]:
    return []


@pytest.fixture
def schedule(failed: list[str]) -> Iterator[Schedule]:
    made = Schedule(failed.append)
    made.start()
    yield made
    made.stop()


def first_in_s(schedule: Schedule, name: str) -> float:
    job = schedule._scheduler.get_job(name)
    assert job is not None
    left: timedelta = job.next_run_time - datetime.now(UTC)
    return left.total_seconds()


def test_a_job_runs_again_and_again(schedule: Schedule) -> None:
    runs: list[int] = []
    schedule.every("a", lambda: runs.append(1), 0.05)
    until(lambda: len(runs) >= 3)


def test_a_job_can_be_brought_forward(schedule: Schedule) -> None:
    ran = threading.Event()
    schedule.every("a", ran.set, NEVER_S)
    schedule.soon("a")
    assert ran.wait(30)


def test_a_job_that_is_not_there_is_not_brought_forward(schedule: Schedule) -> None:
    schedule.soon("nothing")


def test_a_job_that_raises_is_told_and_runs_again(
    schedule: Schedule, failed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.CRITICAL):
        schedule.every("a", fail, 0.05)
        until(lambda: failed[:2] == ["a", "a"])


def test_a_slow_job_does_not_hold_the_quick_ones_up(schedule: Schedule) -> None:
    held, ran = threading.Event(), threading.Event()
    schedule.every("slow", lambda: held.wait(30), NEVER_S, slow=True)
    schedule.every("quick", ran.set, NEVER_S)
    schedule.soon("slow")
    schedule.soon("quick")
    assert ran.wait(30)
    held.set()


def test_no_interval_is_no_job_also_where_there_was_one(schedule: Schedule) -> None:
    schedule.every("a", bool, 0)
    schedule.every("b", bool, NEVER_S)
    schedule.every("b", bool, 0)
    assert schedule._scheduler.get_jobs() == []


@pytest.mark.parametrize(
    ("first", "expected"), [(None, NEVER_S), (1800.0, 1800.0), (-float("inf"), SOONEST_S), (9000.0, NEVER_S)]
)
def test_the_first_run_may_be_sooner_than_the_interval(
    schedule: Schedule, first: float | None, expected: float
) -> None:
    schedule.every("a", bool, NEVER_S, first_in_s=first)
    assert expected - 30 < first_in_s(schedule, "a") <= expected


def test_the_same_name_is_the_same_job(schedule: Schedule) -> None:
    schedule.every("a", bool, NEVER_S)
    schedule.every("a", bool, 2 * NEVER_S)
    assert len(schedule._scheduler.get_jobs()) == 1
    assert first_in_s(schedule, "a") > NEVER_S
