"""What a restart and the supervisor stand between, without an engine: each part does what a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ia0_daemon.supervisor.controller import EngineProcess
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.remedy import Order, Phase

OPERATOR = Order("an operator asked for it", "operator", drain=True)
CRASH = Order("the engine's process has ended", "crash", drain=False)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread brings about."""
    pause = threading.Event()
    for _ in range(1500):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come to that within 30 s")


@dataclass
class FakeController:
    """An engine that may be restarted; `error` is raised where one is set."""

    can_restart: bool = True
    running: bool = True
    error: Exception | None = None
    state: EngineProcess | None = None
    restarts: int = 0
    during: Callable[[], object] = bool
    """Called in the middle of a restart."""

    def process(self) -> EngineProcess:
        return self.state or EngineProcess(1 if self.running else None, self.running)

    def post_mortem(self) -> dict[str, object]:
        return {"journal": ["its last words"]}

    def restart(self) -> None:
        self.restarts += 1
        self.during()
        if self.error is not None:
            raise self.error


@dataclass
class FakeRemedy:
    """Takes orders, and is done with one when the test says so."""

    orders: list[Order] = field(default_factory=list)
    phase: Phase = Phase.IDLE

    @property
    def is_running(self) -> bool:
        return self.phase is not Phase.IDLE

    def start(self, order: Order) -> bool:
        if self.is_running:
            return False
        self.orders.append(order)
        self.phase = Phase.RESTARTING
        return True

    def end(self) -> None:
        self.phase = Phase.IDLE


@dataclass
class Diary:
    """The events that were recorded."""

    events: list[tuple[Kind, str, dict[str, object]]] = field(default_factory=list)

    def record(self, kind: Kind, summary: str, details: dict[str, object]) -> None:
        self.events.append((kind, summary, details))

    def kinds(self) -> list[Kind]:
        return [kind for kind, _, _ in self.events]

    def count(self, kind: Kind) -> int:
        return self.kinds().count(kind)

    def details(self, kind: Kind) -> dict[str, object]:
        return next(details for each, _, details in reversed(self.events) if each == kind)
