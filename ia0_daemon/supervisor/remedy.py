"""A restart of the engine that loses no request: a state machine on a thread of its own.

    close the gate -> drain -> restart -> wait for the version -> warm -> open the gate -> settle

The ticks only start it and watch it, so that sampling goes on while answers
drain. An answer longer than the drain bound is cut by the restart and goes on
afterwards (`gateway/carry_on.py`). A restart that fails leaves the gate closed:
the supervisor tries again, or opens it. Owns the order of the steps and their
bounds; never decides that a restart is due.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ia0_daemon.errors import ServiceError
from ia0_daemon.supervisor.controller import ControllerError, HopelessError
from ia0_daemon.supervisor.event_kinds import Kind

if TYPE_CHECKING:
    from ia0_daemon.gate import Gate, Tally
    from ia0_daemon.settings.schema import Restart
    from ia0_daemon.supervisor.controller import Controller

log = logging.getLogger(__name__)

# How often the new engine is asked for its version, in seconds.
ASK_INTERVAL_S = 0.1
# How long the event of a restart waits for the outcome of the answers that were cut, in seconds.
SETTLE_S = 60.0


class Phase(StrEnum):
    """Where a restart is."""

    IDLE = "idle"
    DRAINING = "draining"
    RESTARTING = "restarting"
    WAITING = "waiting for the engine"
    WARMING = "warming"
    SETTLING = "settling"


@dataclass(frozen=True, slots=True)
class Order:
    """Why a restart is done, and whether answers under way are waited for."""

    reason: str
    """A sentence, for the event and for callers who wait."""
    cause: str
    """`memory`, `crash`, `stall` or `operator`."""
    drain: bool


@dataclass(slots=True)
class Report:
    """What a restart did; times in seconds."""

    order: Order
    succeeded: bool = False
    error: str = ""
    hopeless: bool = False
    """Whether another try would fail just so."""
    drained: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    warmed: list[str] = field(default_factory=list)
    tally: Tally | None = None

    def figures(self) -> dict[str, object]:
        """Give what an event tells of it, as far as it came."""
        seconds = {name: round(spent, 3) for name, spent in self.seconds.items()}
        counts = self.tally.details() if self.tally else {}
        return {"drained": self.drained, "seconds": seconds, "warmed": list(self.warmed), **counts}


class Engine:
    """What a restart needs of the engine: callables, so that tests need no engine."""

    def __init__(
        self,
        loaded: Callable[[], list[str]],
        answers: Callable[[], bool],
        warm: Callable[[str], None],
    ) -> None:
        self.loaded = loaded
        """The tags of the models that are loaded now."""
        self.answers = answers
        """Ask for `/api/version`, and look anew at what is there."""
        self.warm = warm
        """Load a model with the options that its answers are asked with."""


class Remedy:
    """Carries one restart out at a time."""

    def __init__(
        self,
        gate: Gate,
        controller: Controller,
        engine: Engine,
        settings: Callable[[], Restart],
        record: Callable[[Kind, str, dict[str, object]], None],
        done: Callable[[Report], None],
    ) -> None:
        self._gate, self._controller, self._engine = gate, controller, engine
        self._settings, self._record, self._done = settings, record, done
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.phase = Phase.IDLE

    @property
    def is_running(self) -> bool:
        """Whether the gate is closed for a restart. Settling no longer counts."""
        return self.phase not in (Phase.IDLE, Phase.SETTLING)

    def start(self, order: Order) -> bool:
        """Begin a restart; false where one is running."""
        with self._lock:
            if self.is_running:
                return False
            self.phase = Phase.DRAINING
            self._thread = threading.Thread(target=self._run, args=(order,), name="remedy", daemon=True)
            self._thread.start()
            return True

    def join(self, timeout_s: float) -> None:
        """Wait for the present restart to end."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, order: Order) -> None:
        report = Report(order)
        try:
            self._restart(order, report)
        except (ControllerError, ServiceError, TimeoutError, OSError) as error:
            report.error, report.hopeless = str(error), isinstance(error, HopelessError)
        except Exception as error:
            # The edge of this thread: a defect here must not leave the gate closed for ever.
            log.exception("restart failed by a defect")
            report.error = repr(error)
        self._finish(report)

    def _restart(self, order: Order, report: Report) -> None:
        settings = self._settings()
        loaded = self._engine.loaded()
        expected_s = (settings.drain_timeout_s if order.drain else 0) + settings.expected_s
        report.tally = self._gate.close(order.reason, expected_s=expected_s)
        self._record(
            Kind.RESTART_STARTED,
            f"Restarting the engine: {order.reason}.",
            {"cause": order.cause, "in_flight": report.tally.in_flight, "loaded": list(loaded)},
        )
        if order.drain:
            with _timed(report, "drain"):
                report.drained = self._gate.drained(settings.drain_timeout_s)
        self.phase = Phase.RESTARTING
        with _timed(report, "restart"):
            self._controller.restart()
        self.phase = Phase.WAITING
        with _timed(report, "wait"):
            wait_for_answer(self._engine, settings.ready_timeout_s)
        self.phase = Phase.WARMING
        with _timed(report, "warm"):
            warm(self._engine, loaded, report.warmed)
        report.succeeded = True

    def _finish(self, report: Report) -> None:
        try:
            if report.succeeded:
                self._gate.open()
                self.phase = Phase.SETTLING
                self._settle(report)
            self._done(report)
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self.phase = Phase.IDLE

    def _settle(self, report: Report) -> None:
        """Tell the whole story once: what became of the answers that were cut belongs to it."""
        tally = report.tally
        if tally is None:
            return
        settled = self._gate.settled(tally, SETTLE_S)
        self._record(
            Kind.ENGINE_RESTARTED,
            _summary(report, tally),
            {"cause": report.order.cause, "settled": settled, **report.figures()},
        )


def wait_for_answer(engine: Engine, timeout_s: float) -> None:
    """The port is open long before the engine answers: ask for the version. TimeoutError if it does not."""
    until = time.monotonic() + timeout_s
    while not engine.answers():
        if time.monotonic() >= until:
            raise TimeoutError(f"the engine did not answer /api/version within {timeout_s:g} s")
        time.sleep(ASK_INTERVAL_S)


def warm(engine: Engine, tags: Iterable[str], warmed: list[str]) -> None:
    """Load what was loaded. One that cannot be loaded is the affair of the requests that ask for it."""
    for tag in tags:
        try:
            engine.warm(tag)
        except ServiceError as error:
            log.warning(
                "a model could not be warmed",
                extra={"event": "warm_failed", "tag": tag, "error": error.message},
            )
        else:
            warmed.append(tag)


def _summary(report: Report, tally: Tally) -> str:
    total_s = sum(report.seconds.values())
    return (
        f"The engine was restarted in {total_s:.1f} s ({report.order.reason}): "
        f"{tally.waited} requests waited, {tally.asked_again} were asked again, "
        f"{tally.went_on} went on, {tally.failed} failed."
    )


class _timed:  # noqa: N801  # reads as a word of the sentence that uses it
    """Note how long a step took, also where it fails."""

    def __init__(self, report: Report, step: str) -> None:
        self._report, self._step = report, step

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._report.seconds[self._step] = time.monotonic() - self._began
