"""What the supervisor does about what it sees, how often, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from ia0_daemon.engine.progress import Silence
from ia0_daemon.errors import EngineRestarting
from ia0_daemon.gate import Gate
from ia0_daemon.settings.schema import Memory, Restart, Settings
from ia0_daemon.settings.units import Seconds
from ia0_daemon.supervisor import restarts as restarts_module
from ia0_daemon.supervisor import supervisor as module
from ia0_daemon.supervisor.controller import ControllerError, EngineProcess, HopelessError
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.remedy import Engine, Phase, Remedy
from ia0_daemon.supervisor.samples import Host, Identity, Sample
from ia0_daemon.supervisor.supervisor import Supervisor
from ia0_daemon.supervisor.tell import Answering
from ia0_daemon.supervisor.thresholds import Beyond
from ia0_daemon.supervisor.verdicts import Measure, Reason, Subject, Verdict
from tests.unit.supervisor.restart_fakes import Diary, FakeController, FakeRemedy, until

QUIET = Sample(0.0, None, Host(total_bytes=8, available_bytes=8))
RESTART = Restart(
    max_restarts=3,
    window_s=Seconds(1000),
    cooldown_s=Seconds(10),
    max_cooldown_s=Seconds(15),
    calm_s=Seconds(100),
    ready_timeout_s=Seconds(1),
)
ALIVE, GONE = Answering(answers=True, since_s=500), Answering(answers=False, since_s=1)


def verdict(level: Beyond) -> Verdict:
    grown = Subject(Measure.CHILD_GROWTH, Identity(1, 1), "m:1")
    return Verdict(level, (Reason(level, grown, 2, 1, 1, "m:1 has grown"),), 5)


HARD, SOFT, WELL = verdict("hard"), verdict("soft"), Verdict()


@dataclass
class Case:
    """A supervisor whose surroundings, clock and restarts are the test's."""

    clock: SimpleNamespace
    sample: Sample = QUIET
    verdict: Verdict = WELL
    answering: Answering = ALIVE
    silences: dict[str, Silence] = field(default_factory=dict)
    settings: Settings = field(
        default_factory=lambda: Settings(restart=RESTART, memory=Memory(soft_restart_idle_s=Seconds(0)))
    )

    def __post_init__(self) -> None:
        self.gate, self.controller, self.diary = Gate(8, 30), FakeController(), Diary()
        self.supervisor = Supervisor(
            self.gate,
            self.controller,
            self,
            lambda: self.answering,
            lambda: self.silences,
            lambda: self.settings,
            self.diary.record,
        )
        self.remedy = cast("Any", FakeRemedy())
        self.supervisor.remedy = self.remedy

    def find(self, finding: str) -> None:
        """Have a probe find this."""
        self.supervisor.probe = cast("Any", SimpleNamespace(finding=finding, look=lambda: None))

    def look(self) -> tuple[Sample, Verdict]:
        """The part of the sense."""
        return self.sample, self.verdict

    def tick(self, *, after_s: float = 0.0) -> None:
        """Look once, later."""
        self.clock.now += after_s
        self.supervisor.tick()

    def crash(self) -> None:
        """The engine is gone."""
        self.controller.running, self.answering = False, GONE

    def mend(self) -> None:
        """The engine is there."""
        self.controller.running, self.answering = True, ALIVE

    def crash_until_failed(self) -> None:
        """Crash whenever it may be restarted, as often as the budget allows, and once more."""
        for _ in range(RESTART.max_restarts + 1):
            self.crash()
            self.tick(after_s=20)
            self.remedy.end()

    def with_real_remedy(self) -> Remedy:
        """Have restarts carried out, by a controller of the test's."""
        remedy = Remedy(
            self.gate,
            self.controller,
            Engine(list, lambda: self.answering.answers, lambda _: None),
            lambda: self.settings.restart,
            self.diary.record,
            self.supervisor.note_done,
        )
        self.remedy = self.supervisor.remedy = remedy
        return remedy

    def tick_to_the_end(self, remedy: Remedy) -> None:
        """Look once, and wait until what it began is over."""
        self.tick(after_s=20)
        remedy.join(30)


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    for each in (module, restarts_module):
        monkeypatch.setattr(each, "time", clock)
    return Case(clock)


def causes(case: Case) -> list[str]:
    return [order.cause for order in case.remedy.orders]


def test_too_much_memory_is_a_drained_restart(case: Case) -> None:
    case.verdict = HARD
    case.tick()
    (order,) = case.remedy.orders
    assert (order.cause, order.drain, order.reason) == ("memory", True, "m:1 has grown")


def test_ticks_go_on_while_a_restart_runs_and_begin_no_second_one(case: Case) -> None:
    case.verdict = HARD
    case.tick()
    case.tick(after_s=60)
    assert len(case.remedy.orders) == 1
    assert case.supervisor.ticked_at == case.clock.now


def test_who_only_observes_says_once_that_a_restart_is_due(case: Case) -> None:
    case.controller.can_restart = False
    case.verdict = HARD
    for _ in range(3):
        case.tick(after_s=60)
    assert case.remedy.orders == []
    assert case.diary.count(Kind.RESTART_REFUSED) == 1
    assert case.diary.details(Kind.RESTART_REFUSED) == {"code": "observe_only"}


def test_a_pull_holds_a_restart_for_memory_back_until_it_is_over(case: Case) -> None:
    case.verdict, case.sample = HARD, replace(QUIET, pulling=True)
    case.tick()
    assert case.diary.details(Kind.RESTART_REFUSED) == {"code": "pulling"}
    case.sample = QUIET
    case.tick()
    assert causes(case) == ["memory"]


def test_a_pull_does_not_keep_a_dead_engine_down(case: Case) -> None:
    case.sample = replace(QUIET, pulling=True)
    case.crash()
    case.tick()
    assert causes(case) == ["crash"]


def test_a_crash_is_told_once_and_mended_without_a_drain(case: Case) -> None:
    case.crash()
    for _ in range(3):
        case.tick()
    assert case.diary.count(Kind.ENGINE_CRASHED) == 1
    (order,) = case.remedy.orders
    assert (order.cause, order.drain) == ("crash", False)


def test_each_crash_after_a_restart_that_worked_is_told(case: Case) -> None:
    remedy = case.with_real_remedy()
    case.controller.during = case.mend
    for crashes in (1, 2):
        case.crash()
        case.tick_to_the_end(remedy)
        assert case.diary.count(Kind.ENGINE_CRASHED) == crashes


def test_a_crash_after_a_failed_restart_and_a_calm_is_a_new_one(case: Case) -> None:
    remedy = case.with_real_remedy()
    case.controller.error = ControllerError("no such program")
    case.crash()
    case.tick_to_the_end(remedy)
    case.mend()
    case.tick(after_s=20)
    case.crash()
    case.tick_to_the_end(remedy)
    assert case.diary.count(Kind.ENGINE_CRASHED) == 2


def test_an_engine_that_stalls_in_mid_answer_is_restarted(case: Case) -> None:
    case.silences = {"m:1": Silence(asked=1, writing=1, since=case.clock.now - 30)}
    case.tick()
    assert causes(case) == ["stall"]


def test_an_engine_that_a_probe_found_stuck_is_restarted(case: Case) -> None:
    case.find("m:1 wrote nothing")
    case.tick()
    (order,) = case.remedy.orders
    assert (order.cause, order.reason, order.drain) == ("stall", "m:1 wrote nothing", False)


def test_who_only_observes_tells_once_that_the_engine_is_stuck(case: Case) -> None:
    case.controller.can_restart = False
    for finding in ("m:1 wrote nothing", "m:1 wrote nothing", "", "m:1 wrote nothing"):
        case.find(finding)
        case.tick()
    assert case.diary.kinds() == [Kind.ENGINE_CRASHED, Kind.ENGINE_CRASHED]
    assert case.remedy.orders == []
    assert not case.supervisor.failed


def test_an_engine_that_is_left_alone_and_answers_may_be_probed(case: Case) -> None:
    assert case.supervisor.may_probe()
    case.answering = GONE
    assert not case.supervisor.may_probe()


@pytest.mark.parametrize(
    "busy",
    [
        lambda case: case.supervisor.restart("because"),
        lambda case: case.supervisor.drain(),
        lambda case: case.gate.close("restart", expected_s=1),
        lambda case: setattr(case.supervisor.restarts, "failed", "no such program"),
    ],
    ids=["remedy", "drain", "gate", "failed"],
)
def test_nothing_is_probed_during(case: Case, busy: Callable[[Case], object]) -> None:
    busy(case)
    assert not case.supervisor.may_probe()


@pytest.mark.parametrize("trouble", ["crash", "memory"])
def test_each_restart_within_the_window_doubles_the_time_until_the_next(case: Case, trouble: str) -> None:
    case.verdict = HARD if trouble == "memory" else WELL
    case.controller.running = trouble == "memory"
    case.tick()
    for cooldown_s, restarts in ((10, 1), (15, 2)):  # 20, but for its bound
        case.remedy.end()
        case.tick(after_s=cooldown_s - 1)
        assert len(case.remedy.orders) == restarts
        case.tick(after_s=2)
        assert len(case.remedy.orders) == restarts + 1


@pytest.mark.parametrize("trouble", ["crash", "memory"])
def test_a_budget_that_is_spent_ends_in_failed_which_is_told_once(case: Case, trouble: str) -> None:
    case.verdict = HARD if trouble == "memory" else WELL
    case.controller.running = trouble == "memory"
    for _ in range(8):
        case.tick(after_s=20)
        case.remedy.end()
    assert len(case.remedy.orders) == RESTART.max_restarts
    assert case.diary.count(Kind.SUPERVISOR_FAILED) == 1
    assert case.supervisor.failed


def test_after_failed_nobody_hopes_for_an_engine_that_is_gone(case: Case) -> None:
    case.crash()
    assert case.supervisor.is_hopeful()
    case.crash_until_failed()
    assert not case.supervisor.is_hopeful()
    case.mend()
    assert case.supervisor.is_hopeful()


def test_failed_is_left_by_an_operators_restart_with_a_whole_budget(case: Case) -> None:
    case.crash_until_failed()
    assert case.supervisor.restart("tried again")
    assert not case.supervisor.failed
    assert case.diary.count(Kind.SUPERVISOR_RECOVERED) == 1
    assert causes(case)[-1] == "operator"
    assert case.supervisor.standing().left == RESTART.max_restarts


def test_failed_is_left_after_a_long_calm_that_begins_with_it(case: Case) -> None:
    case.crash_until_failed()
    case.mend()  # an engine that has answered for long before says nothing about now
    case.tick(after_s=99)
    assert case.supervisor.failed
    case.tick(after_s=2)
    assert not case.supervisor.failed
    assert case.diary.count(Kind.SUPERVISOR_RECOVERED) == 1


@pytest.mark.parametrize("trouble", [{"answering": GONE}, {"verdict": HARD}])
def test_trouble_ends_a_calm(case: Case, trouble: dict[str, Any]) -> None:
    case.crash_until_failed()
    case.mend()
    case.tick(after_s=60)
    for name, value in trouble.items():
        setattr(case, name, value)
    case.tick(after_s=10)
    case.answering, case.verdict = ALIVE, WELL
    case.tick(after_s=60)
    assert case.supervisor.failed
    case.tick(after_s=100)
    assert not case.supervisor.failed


def test_restarts_of_an_operator_do_not_count(case: Case) -> None:
    for _ in range(10):
        assert case.supervisor.restart("because")
        case.remedy.end()
    case.tick()
    assert case.supervisor.standing().used == 0
    assert not case.supervisor.failed


def test_an_operator_is_told_where_a_restart_is_under_way(case: Case) -> None:
    assert case.supervisor.restart("because")
    assert not case.supervisor.restart("because")


def test_a_drained_host_takes_nothing_new_until_it_is_back(case: Case) -> None:
    case.supervisor.drain()
    with pytest.raises(EngineRestarting):
        case.gate.enter(bool)
    case.verdict = HARD
    case.tick()
    assert case.diary.details(Kind.RESTART_REFUSED) == {"code": "drained"}
    case.supervisor.undrain()
    assert case.gate.enter(bool) == 0.0
    assert [kind for kind in case.diary.kinds() if kind in (Kind.DRAIN, Kind.UNDRAIN)] == [
        Kind.DRAIN,
        Kind.UNDRAIN,
    ]


def test_an_undrain_does_not_open_the_gate_of_a_restart(case: Case) -> None:
    case.supervisor.drain()
    case.gate.close("restart", expected_s=1)
    case.supervisor.undrain()
    assert case.gate.closing is not None
    assert case.gate.closing.may_wait


def test_a_host_that_was_drained_before_a_restart_is_drained_during_and_after_it(case: Case) -> None:
    remedy = case.with_real_remedy()
    seen: list[bool] = []

    def look() -> None:
        closing = case.gate.closing
        seen.append(closing is not None and not closing.may_wait)

    case.controller.during = look
    case.supervisor.drain()
    case.supervisor.restart("because")
    remedy.join(30)
    look()
    assert seen == [True, True]
    assert case.diary.count(Kind.DRAIN) == 1


def test_a_drained_host_stays_so_where_restarts_are_given_up(case: Case) -> None:
    case.crash_until_failed()
    case.supervisor.drain()
    case.tick()
    assert case.supervisor.failed
    with pytest.raises(EngineRestarting):
        case.gate.enter(bool)


@pytest.mark.parametrize("trouble", ["crash", "stall"])
def test_the_engine_of_a_drained_host_is_the_operators(case: Case, trouble: str) -> None:
    case.supervisor.drain()
    case.controller.running = trouble != "crash"
    case.answering = Answering(answers=False, since_s=500)
    for _ in range(3):
        case.tick(after_s=20)
    assert case.remedy.orders == []
    assert case.diary.count(Kind.RESTART_REFUSED) == 1
    assert case.diary.details(Kind.RESTART_REFUSED) == {"code": "left_alone"}
    assert "an operator has drained this host" in case.diary.events[-1][1]
    assert case.supervisor.is_hopeful()
    case.supervisor.undrain()
    case.tick(after_s=20)
    assert [order.cause for order in case.remedy.orders] == [trouble]


def test_an_engine_that_systemd_starts_is_left_alone_and_told_once(case: Case) -> None:
    why = "systemd is starting ollama.service (start-pre)"
    case.controller.state = EngineProcess(None, running=True, left_alone=why)
    case.answering = Answering(answers=False, since_s=500)
    for _ in range(3):
        case.tick(after_s=20)
    assert case.remedy.orders == []
    assert [text for kind, text, _ in case.diary.events if kind is Kind.RESTART_REFUSED] == [
        f"The engine is left alone: {why}."
    ]


def test_what_systemd_did_alone_is_told_with_the_last_words(case: Case) -> None:
    news = "it ended and systemd has brought it back"
    case.controller.state = EngineProcess(2, running=True, ended="?", news=news)
    case.tick()
    assert case.diary.details(Kind.ENGINE_CRASHED) == {"cause": "systemd", "journal": ["its last words"]}


def test_a_restart_by_somebody_else_is_no_crash(case: Case) -> None:
    case.controller.state = EngineProcess(2, running=True, news="it was restarted by somebody else")
    case.tick()
    assert case.diary.kinds() == [Kind.ENGINE_UP]


def test_a_crash_is_told_with_the_last_words(case: Case) -> None:
    case.controller.running = False
    case.tick()
    assert case.diary.details(Kind.ENGINE_CRASHED) == {"cause": "crash", "journal": ["its last words"]}


def test_a_refusal_that_no_other_try_changes_is_failed_at_once(case: Case) -> None:
    remedy = case.with_real_remedy()
    case.controller.error = HopelessError("systemd does not let the user ia0 restart ollama.service")
    case.verdict = HARD
    case.tick()
    remedy.join(30)
    assert case.supervisor.failed == "systemd does not let the user ia0 restart ollama.service"
    assert case.gate.closing is None
    for _ in range(3):
        case.tick(after_s=20)
    assert case.controller.restarts == 1


def test_a_change_of_the_level_is_told_once(case: Case) -> None:
    case.controller.can_restart = False
    for level in (WELL, SOFT, SOFT, HARD, HARD, WELL, WELL):
        case.verdict = level
        case.tick()
    levels = [kind for kind in case.diary.kinds() if kind.startswith("memory_")]
    assert levels == [Kind.MEMORY_SOFT, Kind.MEMORY_HARD, Kind.MEMORY_OK]


@pytest.mark.parametrize("can_restart", [True, False])
def test_an_engine_that_goes_and_comes_by_itself_is_told_once_each(case: Case, can_restart: bool) -> None:
    case.controller.can_restart = can_restart
    for answering in (ALIVE, GONE, GONE, ALIVE, ALIVE):
        case.answering = answering
        case.tick()
    assert case.diary.kinds() == [Kind.ENGINE_DOWN, Kind.ENGINE_UP]


def test_whether_an_observed_engine_comes_back_is_hoped_for_a_while(case: Case) -> None:
    case.controller.can_restart = False
    case.answering = GONE
    assert case.supervisor.is_hopeful()
    case.answering = Answering(answers=False, since_s=60)
    assert not case.supervisor.is_hopeful()


def test_a_restart_that_fails_is_tried_again_behind_the_same_closed_gate(case: Case) -> None:
    remedy = case.with_real_remedy()
    case.controller.error = ControllerError("no such program")
    case.crash()
    case.tick_to_the_end(remedy)
    assert case.diary.details(Kind.RESTART_FAILED)["error"] == "no such program"
    case.tick(after_s=1)
    assert case.controller.restarts == 1
    assert case.gate.closing is not None
    case.controller.error = None
    case.controller.during = case.mend
    case.tick_to_the_end(remedy)
    assert case.controller.restarts == 2
    assert case.gate.closing is None


def test_an_engine_that_cannot_be_restarted_ends_in_failed_with_the_gate_open(case: Case) -> None:
    remedy = case.with_real_remedy()
    case.controller.error = ControllerError("no such program")
    case.crash()
    for _ in range(6):
        case.tick_to_the_end(remedy)
    assert case.controller.restarts == RESTART.max_restarts
    assert case.supervisor.failed == "no such program"
    assert case.diary.count(Kind.ENGINE_CRASHED) == 1
    assert case.diary.count(Kind.RESTART_FAILED) == RESTART.max_restarts
    assert case.diary.count(Kind.SUPERVISOR_FAILED) == 1
    assert case.gate.closing is None


def test_a_defect_of_a_restart_does_not_leave_a_healthy_engine_behind_a_closed_gate(case: Case) -> None:
    remedy = case.with_real_remedy()
    case.controller.error = ZeroDivisionError()
    case.supervisor.restart("because")
    remedy.join(30)
    assert case.gate.closing is not None
    case.tick()
    assert case.gate.closing is None


def test_an_engine_that_answers_too_late_for_its_restart_is_let_in(case: Case) -> None:
    remedy = case.with_real_remedy()
    case.settings = Settings(restart=msgspec.structs.replace(RESTART, unanswered_s=Seconds(30)))
    case.answering = GONE
    case.supervisor.restart("because")
    remedy.join(30)
    case.tick()
    assert case.gate.closing is not None
    case.answering = ALIVE
    case.tick()
    assert case.gate.closing is None


def test_a_tick_does_not_open_the_gate_of_a_restart_under_way(case: Case) -> None:
    remedy = case.with_real_remedy()
    case.gate.enter(bool)
    case.supervisor.restart("because")
    until(lambda: remedy.phase is Phase.DRAINING and case.gate.closing is not None)
    case.tick()
    assert case.gate.closing is not None
    case.gate.leave()
    remedy.join(30)
