"""A model that fails again and again is left alone for a while, then tried by one."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from ia0_daemon.gateway.breaker import Breakers


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(failures=3, open_s=30, clock=clock)


def fail(breakers: Breakers, times: int = 3) -> None:
    for _ in range(times):
        breakers.failed("m")


def test_a_model_of_which_nothing_is_known_is_asked(breakers: Breakers) -> None:
    assert breakers.allows("m")
    assert breakers.state("m") == "closed"


def test_failures_in_a_row_open_it_for_that_model_alone(breakers: Breakers) -> None:
    fail(breakers, 2)
    assert breakers.allows("m")
    fail(breakers, 1)
    assert not breakers.allows("m")
    assert (breakers.state("m"), breakers.state("other")) == ("open", "closed")
    assert breakers.allows("other")


def test_a_success_between_failures_begins_the_row_anew(breakers: Breakers) -> None:
    fail(breakers, 2)
    breakers.succeeded("m")
    fail(breakers, 2)
    assert breakers.state("m") == "closed"


def test_after_its_time_one_alone_may_probe(breakers: Breakers, clock: Clock) -> None:
    fail(breakers)
    clock.now += 29.9
    assert not breakers.allows("m")
    clock.now += 0.1
    assert breakers.state("m") == "half_open"
    assert [breakers.allows("m") for _ in range(3)] == [True, False, False]
    clock.now += 3600
    assert not breakers.allows("m")


def test_of_many_threads_one_probes(breakers: Breakers, clock: Clock) -> None:
    fail(breakers)
    clock.now += 30
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: breakers.allows("m"), range(200))) == 1


def test_a_probe_that_succeeds_closes_it(breakers: Breakers, clock: Clock) -> None:
    fail(breakers)
    clock.now += 30
    assert breakers.allows("m")
    breakers.succeeded("m")
    assert [breakers.allows("m") for _ in range(3)] == [True] * 3
    fail(breakers, 2)
    assert breakers.state("m") == "closed"


def test_a_probe_that_fails_opens_it_for_the_whole_time_again(breakers: Breakers, clock: Clock) -> None:
    fail(breakers)
    clock.now += 30
    assert breakers.allows("m")
    breakers.failed("m")
    clock.now += 29.9
    assert not breakers.allows("m")
    clock.now += 0.1
    assert breakers.allows("m")


def test_a_probes_stream_lets_others_in_when_it_begins_and_the_next_failure_opens_it_again(
    breakers: Breakers, clock: Clock
) -> None:
    fail(breakers)
    clock.now += 30
    assert breakers.allows("m")
    breakers.began("m")
    assert [breakers.allows("m") for _ in range(3)] == [True] * 3
    fail(breakers, 1)
    assert breakers.state("m") == "open"


def test_that_a_stream_begins_does_not_forget_what_failed(breakers: Breakers) -> None:
    for _ in range(3):
        breakers.began("m")
        breakers.failed("m")
    assert breakers.state("m") == "open"


def test_a_cut_that_ends_many_answers_at_once_is_one_failure(breakers: Breakers, clock: Clock) -> None:
    for cut in range(1, 4):
        assert breakers.state("m") == "closed"
        asked = clock.now
        clock.now += 5
        for _ in range(cut * 8):
            breakers.failed("m", asked)
        clock.now += 1
    assert breakers.state("m") == "open"


def test_a_probe_without_an_outcome_lets_another_probe(breakers: Breakers, clock: Clock) -> None:
    fail(breakers)
    clock.now += 30
    assert breakers.allows("m")
    breakers.gave_up("m")
    assert [breakers.allows("m") for _ in range(2)] == [True, False]


def test_giving_up_says_nothing_of_a_model_that_is_asked_or_left_alone(
    breakers: Breakers, clock: Clock
) -> None:
    fail(breakers, 2)
    breakers.gave_up("m")
    fail(breakers, 1)
    breakers.gave_up("m")
    assert breakers.state("m") == "open"


def test_what_began_before_it_opened_neither_closes_it_nor_holds_it_open(
    breakers: Breakers, clock: Clock
) -> None:
    fail(breakers)
    clock.now += 20
    breakers.failed("m")
    breakers.succeeded("m")
    assert breakers.state("m") == "open"
    clock.now += 10
    assert breakers.allows("m")


def test_callers_are_told_when_the_model_is_tried_again(breakers: Breakers, clock: Clock) -> None:
    assert breakers.retry_after_s("m") == 1
    fail(breakers)
    clock.now += 0.5
    assert breakers.retry_after_s("m") == 30
    clock.now += 29.5
    assert breakers.retry_after_s("m") == 1


def test_a_reload_changes_what_is_open_already(breakers: Breakers, clock: Clock) -> None:
    fail(breakers)
    breakers.limit(failures=1, open_s=5)
    clock.now += 5
    assert breakers.allows("m")
    breakers.succeeded("m")
    fail(breakers, 1)
    assert breakers.state("m") == "open"


def test_each_change_of_state_is_one_line(
    breakers: Breakers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fail(breakers, 5)
    clock.now += 30
    assert breakers.allows("m")
    breakers.succeeded("m")
    breakers.succeeded("m")
    told = [
        (record.levelname, record.__dict__["event"], record.__dict__["model"]) for record in caplog.records
    ]
    assert told == [("WARNING", "breaker_open", "m"), ("INFO", "breaker_closed", "m")]
