"""What is done about a verdict, and what holds a restart back."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from ia0_daemon.supervisor.decide import decide
from ia0_daemon.supervisor.samples import Identity
from ia0_daemon.supervisor.thresholds import Beyond
from ia0_daemon.supervisor.verdicts import Measure, Reason, State, Subject, Verdict, Why
from tests.unit.supervisor.memory_builders import GIB

NOW = 100.0
FREE = State()
OK = Verdict()


def verdict(
    level: Beyond,
    measure: Measure = Measure.CHILD_GROWTH,
    *,
    lacking: int = GIB,
    gives_back: int | None = 5 * GIB,
) -> Verdict:
    reason = Reason(level, Subject(measure, Identity(1, 1), "m:1"), 0, 0, lacking, "m:1 has grown")
    return Verdict(level, (reason,), gives_back)


def test_all_is_well() -> None:
    action = decide(OK, FREE, NOW)
    assert (action.kind, action.code) == ("none", Why.OK)


def test_hard_restarts_and_says_why() -> None:
    action = decide(verdict("hard"), FREE, NOW)
    assert (action.kind, action.code, action.why) == ("restart", Why.HARD, "m:1 has grown")


def test_soft_warns() -> None:
    action = decide(verdict("soft"), FREE, NOW)
    assert (action.kind, action.code) == ("none", Why.SOFT)


def test_soft_restarts_while_nobody_needs_the_engine() -> None:
    action = decide(verdict("soft"), State(idle=True), NOW)
    assert (action.kind, action.code) == ("restart", Why.SOFT_IDLE)
    assert "no request is under way" in action.why


@pytest.mark.parametrize("measure", [Measure.AVAILABLE, Measure.ENGINE_HELD])
def test_soft_restarts_only_for_growth(measure: Measure) -> None:
    assert decide(verdict("soft", measure), State(idle=True), NOW).kind == "none"


HOLDS = {
    Why.OBSERVE_ONLY: State(observe_only=True),
    Why.FAILED: State(failed=True),
    Why.DRAINED: State(drained=True),
    Why.PULLING: State(pulling=True),
    Why.BUDGET: State(budget_left=0),
    Why.COOLDOWN: State(cooldown_until=NOW + 1),
}


@pytest.mark.parametrize(("why", "state"), HOLDS.items())
def test_what_holds_a_restart_back_is_said(why: Why, state: State) -> None:
    action = decide(verdict("hard"), state, NOW)
    assert (action.kind, action.code) == ("refuse", why)
    assert action.why.startswith("m:1 has grown; no restart, since ")


@pytest.mark.parametrize("state", HOLDS.values())
def test_what_holds_a_soft_restart_back_is_no_event(state: State) -> None:
    action = decide(verdict("soft"), replace(state, idle=True), NOW)
    assert (action.kind, action.code) == ("none", Why.SOFT)


def test_a_cooldown_ends() -> None:
    assert decide(verdict("hard"), State(cooldown_until=NOW), NOW).kind == "restart"


def test_while_a_restart_is_under_way_there_is_no_other() -> None:
    action = decide(verdict("hard"), State(remedy_running=True, failed=True), NOW)
    assert (action.kind, action.code) == ("none", Why.REMEDY_RUNNING)


@pytest.mark.parametrize("measure", [Measure.AVAILABLE, Measure.ENGINE_HELD])
def test_a_restart_that_gives_back_too_little_is_refused_with_the_arithmetic(measure: Measure) -> None:
    action = decide(verdict("hard", measure, lacking=2 * GIB, gives_back=GIB), FREE, NOW)
    assert (action.kind, action.code) == ("refuse", Why.FUTILE)
    assert "give back about 1 GiB, not the 2 GiB that lack" in action.why
    assert decide(verdict("hard", measure, lacking=2 * GIB, gives_back=2 * GIB), FREE, NOW).kind == "restart"


def test_where_nobody_knows_what_it_gives_back_a_restart_is_tried() -> None:
    assert decide(verdict("hard", Measure.AVAILABLE, gives_back=None), FREE, NOW).kind == "restart"


def test_growth_is_given_back_whatever_else_lacks() -> None:
    both = Verdict("hard", verdict("hard", Measure.AVAILABLE).reasons + verdict("hard").reasons, 1)
    assert decide(both, FREE, NOW).kind == "restart"


def test_no_state_restarts_what_is_well_or_twice_at_once() -> None:
    flags = ("remedy_running", "failed", "drained", "observe_only", "pulling", "idle")
    for values in product((False, True), repeat=len(flags)):
        state = State(**dict(zip(flags, values, strict=True)))
        assert decide(OK, state, NOW).kind == "none"
        forbids = any(value for flag, value in zip(flags, values, strict=True) if flag != "idle")
        assert (decide(verdict("hard"), state, NOW).kind == "restart") is not forbids
