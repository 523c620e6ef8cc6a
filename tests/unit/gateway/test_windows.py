"""Sliding windows: what is counted, what has passed, and when there is more."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.gateway.windows import MINUTE_S, LocalWindows, Window, wait_s
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def windows(clock: FakeClock) -> LocalWindows:
    return LocalWindows(clock)


def taken(windows: LocalWindows, limit: int, times: int = 1000) -> int:
    """How many of so many tries are within the limit."""
    return sum(windows.acquire_sliding_window_entry("k", limit, MINUTE_S) for _ in range(times))


def test_no_more_than_the_limit_is_taken(windows: LocalWindows) -> None:
    assert taken(windows, 5) == 5


def test_the_minute_before_weighs_less_the_older_it_becomes(windows: LocalWindows, clock: FakeClock) -> None:
    taken(windows, 10)
    clock.now += MINUTE_S * 1.5
    assert taken(windows, 10) == 5


def test_after_two_minutes_nothing_is_left_of_it(windows: LocalWindows, clock: FakeClock) -> None:
    taken(windows, 10)
    clock.now += 2 * MINUTE_S
    assert taken(windows, 10) == 10


def test_keys_are_counted_apart(windows: LocalWindows) -> None:
    taken(windows, 5)
    assert windows.acquire_sliding_window_entry("other", 1, MINUTE_S)


def test_a_clock_that_goes_back_locks_nobody_out(windows: LocalWindows, clock: FakeClock) -> None:
    taken(windows, 5)
    clock.now -= 10 * MINUTE_S
    assert taken(windows, 5) == 5


@given(st.integers(1, 50), st.integers(0, 200), st.integers(0, 200), st.floats(0, 59.9))
def test_after_the_wait_that_is_told_there_is_more_and_a_second_before_there_is_not(
    limit: int, first: int, second: int, at_s: float
) -> None:
    clock = FakeClock(0.0)
    windows = LocalWindows(clock)
    windows.acquire_sliding_window_entry("k", 2**53, MINUTE_S, first)
    clock.now += MINUTE_S + at_s
    windows.acquire_sliding_window_entry("k", 2**53, MINUTE_S, second)
    wait = wait_s(Window(*windows.get_sliding_window("k", MINUTE_S)), limit)
    clock.now += max(0.0, wait - 1)
    assert wait <= 1 or not windows.acquire_sliding_window_entry("k", limit, MINUTE_S)
    clock.now += min(wait, 1) + 0.001
    assert windows.acquire_sliding_window_entry("k", limit, MINUTE_S)


def test_many_threads_take_exactly_the_limit(windows: LocalWindows) -> None:
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(taken(windows, 500, 200))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 500
