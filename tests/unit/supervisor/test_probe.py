"""When a loaded model is asked for a token, and what its silence means."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from ia0_daemon.errors import CallerGone, EngineInterrupted, EngineTimeout
from ia0_daemon.settings.schema import Restart
from ia0_daemon.settings.units import Seconds
from ia0_daemon.supervisor.probe import Loaded, Probe
from ia0_daemon.supervisor.probed_engine import FOREVER_S, stays_s

A, B = "a:1", "b:1"
IDLE_S, TIMEOUT_S = 300.0, 60.0


@dataclass
class FakeEngine:
    """Loaded models; `error` is what a probe meets."""

    heard: dict[str, float] = field(default_factory=lambda: {A: 0.0})
    doubted: set[str] = field(default_factory=set)
    stays_s: float = float("inf")
    gone: bool = False
    error: Exception | None = None
    meanwhile: Callable[[Callable[[], bool]], object] = bool
    """Called in the middle of a probe, with its question whether it is to be given up."""
    probed: list[str] = field(default_factory=list)

    def loaded(self) -> list[str]:
        return list(self.heard)

    def look(self, tag: str) -> Loaded | None:
        return None if self.gone else Loaded(tag, self.stays_s)

    def alive_at(self, tag: str) -> float:
        return self.heard[tag]

    def is_doubted(self, tag: str) -> bool:
        return tag in self.doubted

    def write(self, loaded: Loaded, gone: Callable[[], bool], timeout_s: float) -> None:
        assert timeout_s == TIMEOUT_S
        self.probed.append(loaded.tag)
        self.meanwhile(gone)
        if self.error is not None:
            raise self.error


@dataclass
class Case:
    """A probe whose clock and engine are the test's."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    may: bool = True
    now: float = 0.0
    settings: Restart = field(
        default_factory=lambda: Restart(probe_idle_s=Seconds(IDLE_S), probe_timeout_s=Seconds(TIMEOUT_S))
    )
    results: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.probe = Probe(
            self.engine, lambda: self.may, lambda: self.settings, self.results.append, lambda: self.now
        )

    def look(self, *, at: float) -> list[str]:
        """Look, wait until what began is over, and give what was probed so far."""
        self.now = at
        self.probe.look()
        self.probe.join(10)
        return self.engine.probed


def test_a_model_that_was_heard_is_left_alone_until_it_was_silent_for_long() -> None:
    case = Case()
    assert case.look(at=IDLE_S - 1) == []
    assert case.look(at=IDLE_S) == [A]
    assert case.results == ["wrote"]
    assert case.probe.finding == ""


def test_after_a_probe_the_next_is_due_after_as_long_a_silence() -> None:
    case = Case()
    assert case.look(at=IDLE_S) == [A]
    assert case.look(at=2 * IDLE_S - 1) == [A]
    assert case.look(at=2 * IDLE_S) == [A, A]


def test_each_model_is_probed_in_its_turn() -> None:
    case = Case(FakeEngine({A: 0.0, B: 0.0}))
    case.look(at=IDLE_S)
    assert case.look(at=IDLE_S) == [A, B]


def test_nothing_loaded_is_nothing_to_probe() -> None:
    assert Case(FakeEngine({})).look(at=10 * IDLE_S) == []


def test_0_turns_probes_off() -> None:
    case = Case(FakeEngine(doubted={A}), settings=Restart(probe_idle_s=Seconds(0)))
    assert case.look(at=10 * IDLE_S) == []


def test_nothing_is_probed_while_it_may_not() -> None:
    assert Case(may=False).look(at=IDLE_S) == []


@pytest.mark.parametrize("engine", [FakeEngine(gone=True), FakeEngine(stays_s=TIMEOUT_S)])
def test_a_model_that_is_unloaded_or_soon_will_be_is_not_loaded_again(engine: FakeEngine) -> None:
    case = Case(engine)
    assert case.look(at=IDLE_S) == []
    assert case.results == []


def test_a_request_that_waited_in_vain_has_its_model_probed_at_once_and_not_without_end() -> None:
    case = Case(FakeEngine(doubted={A}, error=EngineInterrupted("cut")))
    assert case.look(at=1) == [A]
    assert case.look(at=TIMEOUT_S) == [A]
    assert case.look(at=1 + TIMEOUT_S) == [A, A]


def test_silence_is_a_finding_until_a_token_comes() -> None:
    case = Case(FakeEngine(error=EngineTimeout("silent")))
    case.look(at=IDLE_S)
    assert case.results == ["stuck"]
    assert case.probe.finding == "a:1 is loaded and wrote no token within 60 s for a probe"
    case.engine.heard[A] = IDLE_S + 1
    assert case.probe.finding == ""


def test_silence_is_none_where_it_wrote_for_others_meanwhile() -> None:
    case = Case(FakeEngine(error=EngineTimeout("silent")))
    case.engine.meanwhile = lambda _: case.engine.heard.update({A: IDLE_S + 1})
    case.look(at=IDLE_S)
    assert (case.results, case.probe.finding) == (["busy"], "")


def test_a_finding_is_forgotten_when_it_is_mended_or_taken_out_of_service() -> None:
    case = Case(FakeEngine(error=EngineTimeout("silent")))
    case.look(at=IDLE_S)
    case.may = False
    case.look(at=IDLE_S + 1)
    assert case.probe.finding == ""


def test_an_error_is_no_finding_and_no_reason_to_ask_again_at_once() -> None:
    case = Case(FakeEngine(error=EngineInterrupted("cut")))
    case.look(at=IDLE_S)
    assert case.look(at=IDLE_S + 1) == [A]
    assert (case.results, case.probe.finding) == (["failed"], "")


def test_a_probe_is_given_up_when_it_may_no_longer_be() -> None:
    case = Case(FakeEngine(error=CallerGone("given up")))
    asked: list[bool] = []

    def meanwhile(gone: Callable[[], bool]) -> None:
        asked.append(gone())
        case.may = False
        asked.append(gone())

    case.engine.meanwhile = meanwhile
    case.look(at=IDLE_S)
    assert asked == [False, True]
    assert case.results == ["given_up"]


def test_one_probe_at_a_time() -> None:
    case, going_on = Case(FakeEngine({A: 0.0, B: 0.0})), threading.Event()
    case.engine.meanwhile = lambda _: going_on.wait(10)
    case.now = IDLE_S
    case.probe.look()
    case.probe.look()
    going_on.set()
    case.probe.join(10)
    assert case.engine.probed == [A]


def test_a_defect_is_no_finding(caplog: pytest.LogCaptureFixture) -> None:
    case = Case(FakeEngine(error=ZeroDivisionError()))
    case.look(at=IDLE_S)
    assert (case.results, case.probe.finding) == (["failed"], "")
    assert "a probe failed by a defect" in caplog.text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-22T12:05:00Z", 300),
        ("2026-11-22T13:05:00.123456789+01:00", 300.123456),
        ("2026-11-22T11:00:00Z", 0),
        ("", 0),
    ],
)
def test_how_long_a_model_stays_loaded(text: str, seconds: float) -> None:
    assert stays_s(text, datetime(2026, 11, 22, 12, tzinfo=UTC)) == pytest.approx(seconds)


def test_for_ever_is_known() -> None:
    assert stays_s("2318-03-04T00:00:00.5Z", datetime(2026, 11, 22, tzinfo=UTC)) > FOREVER_S
