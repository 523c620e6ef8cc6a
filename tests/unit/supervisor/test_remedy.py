"""The steps of a restart come in their order, and whatever fails in one leaves nobody behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ia0_daemon.errors import ModelUnavailable
from ia0_daemon.gate import Gate
from ia0_daemon.settings.schema import Restart
from ia0_daemon.settings.units import Seconds
from ia0_daemon.supervisor.controller import ControllerError
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.remedy import Engine, Order, Phase, Remedy, Report
from tests.unit.supervisor.restart_fakes import CRASH, OPERATOR, Diary, FakeController, until

SETTINGS = Restart(drain_timeout_s=Seconds(30), ready_timeout_s=Seconds(30))


@dataclass
class Case:
    """One remedy, and what every part of it was asked for, in order."""

    settings: Restart = SETTINGS
    steps: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=lambda: ["a:1", "b:1"])
    silent: int = 0
    """How often the new engine does not answer yet."""
    cannot_be_warmed: str = ""
    reports: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate, self.diary = Gate(8, 30), Diary()
        self.controller = FakeController(during=lambda: self.note("restart"))
        engine = Engine(lambda: self.loaded, self._answers, self._warm)
        self.remedy = Remedy(
            self.gate, self.controller, engine, lambda: self.settings, self.diary.record, self.reports.append
        )

    def note(self, step: str) -> None:
        self.steps.append(f"{step}, {'closed' if self.gate.closing else 'open'}")

    def run(self, order: Order = OPERATOR) -> Report:
        assert self.remedy.start(order)
        self.remedy.join(30)
        assert self.remedy.phase is Phase.IDLE
        (report,) = self.reports
        return report

    def _answers(self) -> bool:
        self.note("version")
        self.silent -= 1
        return self.silent < 0

    def _warm(self, tag: str) -> None:
        self.note(f"warm {tag}")
        if tag == self.cannot_be_warmed:
            raise ModelUnavailable("it is broken")


@pytest.fixture
def case() -> Case:
    return Case()


def test_the_steps_come_in_their_order_behind_a_closed_gate(case: Case) -> None:
    case.silent = 1
    report = case.run()
    assert case.steps == [
        "restart, closed",
        "version, closed",
        "version, closed",
        "warm a:1, closed",
        "warm b:1, closed",
    ]
    assert (report.succeeded, case.gate.closing) == (True, None)
    assert case.diary.kinds() == [Kind.RESTART_STARTED, Kind.ENGINE_RESTARTED]


def test_answers_under_way_finish_first(case: Case) -> None:
    case.gate.enter(bool)
    case.remedy.start(OPERATOR)
    until(lambda: case.remedy.phase is Phase.DRAINING and case.gate.closing is not None)
    assert case.controller.restarts == 0
    case.gate.leave()
    case.remedy.join(30)
    assert case.reports[0].drained


def test_an_answer_longer_than_the_bound_does_not_hold_the_restart_up(case: Case) -> None:
    case.settings = Restart(drain_timeout_s=Seconds(0))
    case.gate.enter(bool)
    report = case.run()
    assert (report.succeeded, report.drained) == (True, False)
    assert case.diary.details(Kind.RESTART_STARTED)["in_flight"] == 1


def test_what_is_dead_is_not_drained(case: Case) -> None:
    case.gate.enter(bool)
    assert "drain" not in case.run(CRASH).seconds


def test_the_event_tells_the_seconds_of_each_phase_and_what_became_of_the_requests(case: Case) -> None:
    case.run()
    details = case.diary.details(Kind.ENGINE_RESTARTED)
    seconds = details["seconds"]
    assert isinstance(seconds, dict)
    assert list(seconds) == ["drain", "restart", "wait", "warm"]
    assert details["cause"] == "operator"
    assert (details["drained"], details["settled"]) == (True, True)
    assert details["warmed"] == ["a:1", "b:1"]
    assert [details[name] for name in ("waited", "cut", "asked_again", "went_on", "failed")] == [0] * 5


def test_the_event_waits_for_the_outcome_of_a_cut_answer(case: Case) -> None:
    case.loaded = []
    case.controller.during = case.gate.note_cut
    case.remedy.start(OPERATOR)
    until(lambda: case.remedy.phase is Phase.SETTLING)
    assert case.gate.closing is None
    assert not case.diary.count(Kind.ENGINE_RESTARTED)
    case.gate.note_outcome(case.gate.tally, "went_on")
    case.remedy.join(30)
    assert case.diary.details(Kind.ENGINE_RESTARTED)["went_on"] == 1


def test_a_restart_that_settles_does_not_hold_up_the_next(case: Case) -> None:
    case.controller.during = case.gate.note_cut
    case.remedy.start(OPERATOR)
    until(lambda: case.remedy.phase is Phase.SETTLING)
    first = case.gate.tally
    case.controller.during = bool
    assert case.remedy.start(CRASH)
    until(lambda: case.controller.restarts == 2)
    case.gate.note_outcome(first, "went_on")
    until(lambda: len(case.reports) == 2)
    until(lambda: case.remedy.phase is Phase.IDLE)
    assert case.gate.closing is None


def test_a_second_order_while_one_runs_is_refused(case: Case) -> None:
    held = threading.Event()
    case.controller.during = lambda: held.wait(30)
    case.remedy.start(OPERATOR)
    assert not case.remedy.start(CRASH)
    held.set()
    case.remedy.join(30)
    assert [report.order for report in case.reports] == [OPERATOR]


def test_a_model_that_cannot_be_warmed_does_not_fail_the_restart(case: Case) -> None:
    case.cannot_be_warmed = "a:1"
    report = case.run()
    assert (report.succeeded, report.warmed) == (True, ["b:1"])


def _cannot_start(case: Case) -> None:
    case.controller.error = ControllerError("it ended by itself")


def _never_answers(case: Case) -> None:
    case.silent, case.settings = 1000, Restart(ready_timeout_s=Seconds(0.2))


def _defect(case: Case) -> None:
    case.controller.error = ZeroDivisionError("a defect")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cannot_start, "it ended by itself"),
        (_never_answers, "the engine did not answer /api/version within 0.2 s"),
        (_defect, "ZeroDivisionError('a defect')"),
    ],
)
def test_a_restart_that_fails_says_why_and_leaves_the_gate_to_the_next(
    case: Case, damage: Callable[[Case], None], said: str
) -> None:
    damage(case)
    report = case.run()
    assert (report.succeeded, report.error) == (False, said)
    assert case.gate.closing is not None
    assert not case.diary.count(Kind.ENGINE_RESTARTED)
    assert "restart" in report.seconds


def test_whoever_waited_through_a_failed_restart_is_counted_in_the_one_that_succeeds(case: Case) -> None:
    _cannot_start(case)
    case.run()
    waiting = threading.Thread(target=case.gate.enter, args=(bool,))
    waiting.start()
    until(lambda: case.gate.waiting == 1)
    case.controller.error = None
    case.reports.clear()
    case.run(CRASH)
    waiting.join(30)
    assert case.diary.details(Kind.ENGINE_RESTARTED)["waited"] == 1
