"""How a daemon ends: what is waited for, and for how long."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ia0_daemon.ending import Ending
from ia0_daemon.gate import Gate
from tests.unit.conftest import Eventually


@dataclass
class FakeListener:
    """Busy until a moment; then a connection may still be kept open."""

    busy_until: float = 0.0
    stopped: bool = False
    looks: int = 0

    def stop_accepting(self) -> None:
        self.stopped = True

    def is_busy(self, quiet_s: float) -> bool:
        return time.monotonic() < self.busy_until

    def close_idle(self) -> bool:
        self.looks += 1
        return self.looks > 1


@dataclass
class FakeNotifier:
    """Keeps what systemd is told."""

    extended: list[float] = field(default_factory=list)
    beats: int = 0

    def alive(self) -> None:
        self.beats += 1

    def status(self, text: str) -> None:
        assert text

    def more_time(self, seconds: float) -> None:
        self.extended.append(seconds)


@dataclass
class Case:
    """A daemon that ends."""

    grace_s: float
    max_wait_s: float = 30.0
    restarting: bool = False
    passed: int = 0

    def __post_init__(self) -> None:
        self.gate, self.notifier = Gate(8, 30), FakeNotifier()
        settings = SimpleNamespace(
            server=SimpleNamespace(shutdown_grace_s=self.grace_s),
            restart=SimpleNamespace(max_wait_s=self.max_wait_s),
        )
        service = SimpleNamespace(
            gate=self.gate, live=SimpleNamespace(settings=settings), admission=SimpleNamespace(in_flight=2)
        )
        case = self

        class Supervision:
            drains = SimpleNamespace(let_the_waiting_pass=case.let_pass)

            @property
            def is_restarting(self) -> bool:
                return case.restarting

        self.ending = Ending(cast("Any", service), cast("Any", Supervision()), cast("Any", self.notifier))

    def let_pass(self) -> None:
        self.passed += 1

    def drain(self, listener: FakeListener) -> float:
        """Gives the seconds that it took."""
        began = time.monotonic()
        assert self.ending.drain(cast("Any", listener)) == 2
        assert listener.stopped
        return time.monotonic() - began

    def wait_at_gate(self) -> None:
        self.gate.close("a restart", expected_s=1)
        threading.Thread(target=self.gate.enter, args=(bool,), daemon=True).start()
        while not self.gate.waiting:
            time.sleep(0.01)


def test_it_ends_when_nothing_is_under_way_and_no_connection_is_left() -> None:
    listener = FakeListener(time.monotonic() + 0.2)
    assert 0.2 <= Case(grace_s=600).drain(listener) < 300
    assert listener.looks == 2


def test_it_waits_no_longer_than_the_grace() -> None:
    assert 0.5 <= Case(grace_s=0.5).drain(FakeListener(float("inf"))) < 300


def test_those_who_wait_for_a_restart_are_waited_for_and_systemd_is_asked_for_the_time(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("ia0_daemon.ending.TELL_S", 0.1)
    case = Case(grace_s=0.5, restarting=True, max_wait_s=600)
    case.wait_at_gate()

    def end() -> None:
        eventually(lambda: case.notifier.beats >= 10 and time.monotonic() >= began + 1.5)
        case.restarting = False
        case.gate.open()

    began = time.monotonic()
    threading.Thread(target=end, daemon=True).start()
    assert 1.5 <= case.drain(FakeListener(float("inf"))) < 300
    assert not case.restarting
    assert min(case.notifier.extended) > 15
    assert case.passed >= 10


def test_even_a_restart_is_waited_for_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ia0_daemon.ending.TELL_S", 0.1)
    case = Case(grace_s=0.5, restarting=True, max_wait_s=0.5)
    case.wait_at_gate()
    assert case.drain(FakeListener(float("inf"))) < 300
    case.gate.open()
