"""Restarts are spaced out more and more, and end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.supervisor.restart_budget import Allowance, standing

ALLOWANCE = Allowance(max_restarts=3, window_s=1000, cooldown_s=10, max_cooldown_s=25)


def test_the_first_restart_is_free() -> None:
    assert standing([], 50, ALLOWANCE).cooldown_left_s == 0
    assert standing([], 50, ALLOWANCE).left == 3


def test_each_restart_doubles_the_cooldown_up_to_its_bound() -> None:
    assert standing([100], 100, ALLOWANCE).cooldown_left_s == 10
    assert standing([50, 100], 100, ALLOWANCE).cooldown_left_s == 20
    assert standing([10, 50, 100], 100, ALLOWANCE).cooldown_left_s == 25


def test_what_is_older_than_the_window_is_forgiven() -> None:
    left = standing([0, 10, 20], 1011, ALLOWANCE)
    assert (left.used, left.left, left.is_spent) == (1, 2, False)


def test_as_many_as_are_allowed_spend_the_budget() -> None:
    assert standing([1, 2, 3], 4, ALLOWANCE).is_spent


@given(st.lists(st.floats(0, 5000), max_size=20).map(sorted), st.floats(5000, 9000))
def test_a_cooldown_never_outlasts_its_bound(restarts: list[float], now: float) -> None:
    assert 0 <= standing(restarts, now, ALLOWANCE).cooldown_left_s <= ALLOWANCE.max_cooldown_s
