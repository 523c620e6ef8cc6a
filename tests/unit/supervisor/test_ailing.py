"""What is dead or stuck is restarted, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ia0_daemon.supervisor.ailing import Signs, ailing

WELL = Signs(process_runs=True, answers=True, unanswered_for_s=0, silent_for_s={})


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
        (replace(WELL, silent_for_s={"a": 19}), ""),
        (replace(WELL, silent_for_s={"a": 0.1, "b": 21}), "stall"),
    ],
)
def test_the_signs_say_what_is_wrong(signs: Signs, expected: str) -> None:
    assert cause(signs) == expected


def test_an_engine_that_writes_tokens_lives_whatever_its_version_route_does() -> None:
    assert cause(replace(WELL, answers=False, unanswered_for_s=99, silent_for_s={"a": 0.1})) == ""


def test_nothing_is_waited_for_where_nothing_will_come() -> None:
    order = ailing(replace(WELL, process_runs=False), 30, 20)
    assert order is not None
    assert not order.drain
