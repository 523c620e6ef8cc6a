"""Nobody passes a closed gate, and nobody is forgotten at it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ia0_daemon.errors import CallerGone, EngineRestarting, ServiceError
from ia0_daemon.gate import Gate


def in_thread(action: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(action())
        except ServiceError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def until(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(1000):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not come to that within 10 s")


@pytest.fixture
def gate() -> Gate:
    return Gate(max_waiting=2, max_wait_s=30)


def test_an_open_gate_costs_no_wait(gate: Gate) -> None:
    assert gate.enter(bool) == 0.0
    assert gate.in_flight == 1


def test_a_request_waits_until_the_gate_opens(gate: Gate) -> None:
    gate.close("restart", expected_s=1)
    thread, results = in_thread(lambda: gate.enter(bool))
    until(lambda: gate.waiting == 1)
    gate.open()
    thread.join()
    assert results
    assert gate.in_flight == 1
    assert gate.tally.waited == 1


def test_more_than_may_wait_are_refused_with_the_time_to_come_back(gate: Gate) -> None:
    gate.close("restart", expected_s=20)
    threads = [in_thread(lambda: gate.enter(bool))[0] for _ in range(2)]
    until(lambda: gate.waiting == 2)
    with pytest.raises(EngineRestarting, match="restart") as refusal:
        gate.enter(bool)
    assert refusal.value.retry_after_s == 20
    assert gate.tally.refused == 1
    gate.open()
    for thread in threads:
        thread.join()


def test_a_cut_request_always_finds_a_place(gate: Gate) -> None:
    gate.limit(max_waiting=0, max_wait_s=30)
    gate.close("restart", expected_s=20)
    thread, results = in_thread(lambda: gate.enter(bool, again=True))
    until(lambda: gate.waiting == 1)
    gate.open()
    thread.join()
    assert not isinstance(results[0], Exception)


def test_a_shut_gate_refuses_at_once_what_is_new_and_nothing_else(gate: Gate) -> None:
    gate.close("restart", expected_s=1)
    thread, results = in_thread(lambda: gate.enter(bool))
    until(lambda: gate.waiting == 1)
    gate.shut("drained", expected_s=1)
    with pytest.raises(EngineRestarting, match="drained"):
        gate.enter(bool)
    gate.open()
    thread.join()
    assert not isinstance(results[0], Exception)
    assert gate.enter(bool, again=True) == 0.0


def test_restart_and_operator_open_only_what_they_closed(gate: Gate) -> None:
    gate.close("restart", expected_s=1)
    gate.shut("drained", expected_s=1)
    gate.open()
    assert gate.closing is not None
    assert not gate.closing.may_wait
    gate.close("restart", expected_s=1)
    gate.unshut()
    assert gate.closing is not None
    assert gate.closing.may_wait
    gate.open()
    assert gate.closing is None


def test_a_restart_after_one_that_failed_goes_on_with_its_tally(gate: Gate) -> None:
    first = gate.close("restart", expected_s=1)
    assert gate.close("restart", expected_s=1) is first
    gate.open()
    assert gate.close("restart", expected_s=1) is not first


def test_a_request_does_not_wait_for_ever() -> None:
    gate = Gate(max_waiting=2, max_wait_s=0.3)
    gate.close("restart", expected_s=1)
    with pytest.raises(EngineRestarting):
        gate.enter(bool)
    assert gate.waiting == 0


def test_a_caller_who_hangs_up_leaves_the_gate(gate: Gate) -> None:
    gate.close("restart", expected_s=1)
    with pytest.raises(CallerGone):
        gate.enter(lambda: True)
    assert gate.waiting == 0


def test_it_is_drained_when_the_last_has_left(gate: Gate) -> None:
    gate.enter(bool)
    gate.close("restart", expected_s=1)
    assert not gate.drained(0.01)
    thread, results = in_thread(lambda: gate.drained(30))
    gate.leave()
    thread.join()
    assert results == [True]


def test_a_closing_is_settled_when_each_cut_has_its_outcome(gate: Gate) -> None:
    tally = gate.close("restart", expected_s=1)
    assert gate.note_cut() is tally
    assert not gate.settled(tally, 0.01)
    gate.note_outcome(tally, "went_on")
    assert gate.settled(tally, 0)
    assert tally.details() == {
        "in_flight": 0,
        "waited": 0,
        "refused": 0,
        "cut": 1,
        "asked_again": 0,
        "went_on": 1,
        "failed": 0,
    }
