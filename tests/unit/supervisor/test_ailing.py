"""What is dead or stuck is restarted, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ia0_daemon.engine.progress import Silence
from ia0_daemon.supervisor.ailing import Signs, ailing

WELL = Signs(100.0, process_runs=True, answers=True, unanswered_for_s=0, silences={}, is_deaf=lambda _: False)


def writing(since: float) -> Silence:
    return Silence(asked=1, writing=1, since=since)


def asked(since: float) -> Silence:
    return Silence(asked=1, writing=0, since=since)


def cause(signs: Signs) -> str:
    order = ailing(signs, unanswered_s=30, stall_s=20)
    return order.cause if order else ""


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (WELL, ""),
        (replace(WELL, process_runs=False), "crash"),
        (replace(WELL, answers=False, unanswered_for_s=29), ""),
        (replace(WELL, answers=False, unanswered_for_s=31), "stall"),
        (replace(WELL, silences={"a": writing(81)}), ""),
        (replace(WELL, silences={"a": writing(99), "b": writing(79)}), "stall"),
    ],
)
def test_the_signs_say_what_is_wrong(signs: Signs, expected: str) -> None:
    assert cause(signs) == expected


def test_a_long_prompt_is_no_stall_while_its_process_answers() -> None:
    assert cause(replace(WELL, silences={"a": asked(0)})) == ""


def test_a_process_that_does_not_answer_is_stuck() -> None:
    assert cause(replace(WELL, silences={"a": asked(79)}, is_deaf=lambda _: True)) == "stall"
    assert cause(replace(WELL, silences={"a": asked(81)}, is_deaf=lambda _: True)) == ""


def test_an_engine_that_writes_tokens_lives_whatever_its_version_route_does() -> None:
    assert cause(replace(WELL, answers=False, unanswered_for_s=99, silences={"a": writing(99.9)})) == ""


def test_what_a_probe_found_is_a_stall() -> None:
    order = ailing(replace(WELL, stuck="it wrote nothing"), 30, 20)
    assert order is not None
    assert (order.cause, order.reason, order.drain) == ("stall", "it wrote nothing", False)


def test_nothing_is_waited_for_where_nothing_will_come() -> None:
    order = ailing(replace(WELL, process_runs=False), 30, 20)
    assert order is not None
    assert not order.drain
