"""What happens to one memory sample, top to bottom.

    tick():  look -> ailing? -> judge -> decide -> hand over -> remember

`ailing`, `judge` and `decide` are pure and hold every rule. A remedy runs on a
thread of its own (see `remedy.py`); a tick only starts it and watches it, so
that sampling goes on while answers drain. Owns what is under way and the
operator's drain; past restarts and FAILED are `restarts.py`'s.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ia0_daemon.clock import timestamp
from ia0_daemon.engine.watch import full_name
from ia0_daemon.supervisor.ailing import Signs, ailing
from ia0_daemon.supervisor.deaf import is_deaf
from ia0_daemon.supervisor.decide import decide
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.operator_drain import Drain
from ia0_daemon.supervisor.remedy import Order
from ia0_daemon.supervisor.restarts import Restarts
from ia0_daemon.supervisor.tell import Answering, Recorder, Teller
from ia0_daemon.supervisor.verdicts import Action, State, Verdict, Why

if TYPE_CHECKING:
    from ia0_daemon.engine.progress import Silence
    from ia0_daemon.gate import Gate
    from ia0_daemon.settings.schema import Settings
    from ia0_daemon.supervisor.controller import Controller
    from ia0_daemon.supervisor.probe import Probe
    from ia0_daemon.supervisor.remedy import Remedy, Report
    from ia0_daemon.supervisor.restart_budget import Standing
    from ia0_daemon.supervisor.samples import Sample

log = logging.getLogger(__name__)

# Without a controller, how long after the engine was last there its return is still hoped for, in seconds:
# systemd brings Ollama back 3 s after a crash (RestartSec of its unit).
OBSERVED_RETURN_S = 20.0
# What callers of a drained host are told to wait, in seconds; when it is back only the operator knows.
DRAIN_EXPECTED_S = 60


class Sense(Protocol):
    """Looks at the machine and judges what it saw."""

    def look(self) -> tuple[Sample, Verdict]:
        """Take one sample and judge it with those before it."""


class Supervisor:
    """Watches one engine."""

    def __init__(
        self,
        gate: Gate,
        controller: Controller,
        sense: Sense,
        answering: Callable[[], Answering],
        silences: Callable[[], dict[str, Silence]],
        settings: Callable[[], Settings],
        record: Recorder,
    ) -> None:
        self._gate, self._controller, self._sense = gate, controller, sense
        self._answering, self._silences = answering, silences
        self._settings, self._record = settings, record
        self._tell = Teller(record, controller)
        self.restarts = Restarts(gate, lambda: settings().restart, record)
        self._last_action = Action("none", "", Why.OK)
        self._lock = threading.Lock()
        self.remedy: Remedy | None = None
        self.probe: Probe | None = None
        self.drained: Drain | None = None
        """An operator's word, which only an operator takes back."""
        self.last_restart: dict[str, object] | None = None
        """The latest of this daemon's: when, why, and whether it succeeded."""
        self.last: tuple[Sample, Verdict, Action] | None = None
        self.ticked_at = float("-inf")

    def tick(self) -> None:
        """Look once, and do what is due."""
        sample, verdict = self._sense.look()
        if not self._is_busy():
            self._tell.engine(self._answering())
        order = None if self._is_busy() else self._ailing()
        if order is not None:
            self._heal(order)
        elif self._answering().answers:
            if not self._is_busy():
                self._tell.forget_ailment()
            self._let_pass()
        action = decide(verdict, self.state(sample), time.monotonic())
        self._tell.level(verdict, self.last[1].level if self.last else "ok")
        self._hand_over(action)
        self.restarts.recover_when_calm(is_well=self._answering().answers and verdict.level != "hard")
        if self.probe is not None:
            self.probe.look()
        self.last = (sample, verdict, action)
        self.ticked_at = time.monotonic()

    def state(self, sample: Sample) -> State:
        """Give what a decision depends on beside the verdict."""
        now, left = time.monotonic(), self.standing()
        return State(
            remedy_running=self._is_busy(),
            failed=bool(self.failed),
            drained=self.drained is not None,
            observe_only=not self._controller.can_restart,
            pulling=sample.pulling,
            cooldown_until=now + left.cooldown_left_s,
            budget_left=left.left,
            idle=0 < self._idle_restart_s() <= self._gate.idle_for_s(),
        )

    @property
    def failed(self) -> str:
        """Why restarts were given up; empty while they were not."""
        return self.restarts.failed

    def standing(self) -> Standing:
        """Give what is left of the restarts' budget."""
        return self.restarts.standing()

    def is_hopeful(self) -> bool:
        """Say whether an engine that is not there now will probably be there again soon."""
        answering = self._answering()
        if self.drained is not None:
            return True  # the operator is at it
        if self._controller.can_restart:
            return answering.answers or not self.failed
        return answering.answers or answering.since_s < OBSERVED_RETURN_S

    def may_probe(self) -> bool:
        """Say whether the engine is there, and nobody is mending it or taking it out of service."""
        is_left_alone = not (self._is_busy() or self.drained or self.failed)
        return is_left_alone and self._gate.closing is None and self._answering().answers

    def restart(self, reason: str) -> bool:
        """Restart at an operator's word: outside the budget, out of FAILED. False while one is running."""
        self.restarts.begin_anew("an operator asked for a restart")
        return self._begin(Order(reason, "operator", drain=True))

    def drain(self, drain: Drain | None = None) -> None:
        """Take this host out of service: what is under way finishes, nothing new passes."""
        drain = drain or Drain.now(hold=False, reason="", loaded=[])
        self.drained = drain
        self._gate.shut(drain.sentence(), expected_s=DRAIN_EXPECTED_S, hold=drain.hold)
        details = {"in_flight": self._gate.in_flight, "loaded": list(drain.loaded), **drain.told()}
        self._record(Kind.DRAIN, "The operator drains this host.", details)

    def undrain(self, figures: dict[str, object] | None = None) -> None:
        """Put this host back into service."""
        tally = self._gate.tally.details()
        self.drained = None
        self._gate.unshut()
        summary = "The operator put this host back into service."
        self._record(Kind.UNDRAIN, summary, {**tally, **(figures or {})})

    def note_done(self, report: Report) -> None:
        """Take note of how a restart ended; called on the remedy's thread."""
        self.last_restart = {
            "at": timestamp(),
            "cause": report.order.cause,
            "reason": report.order.reason,
            "succeeded": report.succeeded,
        }
        if report.succeeded:
            self._tell.forget_ailment()  # whatever comes now is a new one
            return
        self._record(
            Kind.RESTART_FAILED,
            f"The engine could not be restarted: {report.error}",
            {"cause": report.order.cause, "error": report.error, **report.figures()},
        )
        with self._lock:  # a restart that fails at once must be counted before
            is_spent = self.standing().is_spent
        if is_spent or report.hopeless:
            self.restarts.give_up(report.error)

    def _idle_restart_s(self) -> float:
        return self._settings().memory.soft_restart_idle_s

    def _is_busy(self) -> bool:
        return self.remedy is not None and self.remedy.is_running

    def _ailing(self) -> Order | None:
        process = self._controller.process()
        self._tell.process(process, self._answering(), is_drained=self.drained is not None)
        if self.failed or process.left_alone:
            return None
        stuck = self.probe.finding if self.probe else ""
        if not self._controller.can_restart:
            return Order(stuck, "stall", drain=False) if stuck else None
        answering, settings = self._answering(), self._settings().restart
        signs = Signs(
            now=time.monotonic(),
            process_runs=process.running,
            answers=answering.answers,
            unanswered_for_s=0.0 if answering.answers else answering.since_s,
            silences=self._silences(),
            is_deaf=self._is_deaf,
            stuck=stuck,
        )
        return ailing(signs, settings.unanswered_s, settings.stall_s)

    def _is_deaf(self, tag: str) -> bool:
        """Ask the model's own process; one that is not there or not known is no sign of anything."""
        engine = self.last[0].engine if self.last else None
        pids = [child.pid for child in engine.children if child.tag == full_name(tag)] if engine else []
        return any(is_deaf(pid) for pid in pids)

    def _heal(self, order: Order) -> None:
        """Restart what is dead or stuck, as far as the budget goes; who only observes can but tell of it."""
        if not self._controller.can_restart:
            self._tell.ailment(order)
            return
        if self.drained is not None:
            self._tell.left_alone(
                order.cause, f"no restart, since an operator has drained this host: {order.reason}"
            )
            return
        left = self.standing()
        if left.is_spent:
            self.restarts.give_up(order.reason)
        elif left.cooldown_left_s <= 0:
            self._tell.ailment(order)
            self._begin(order)

    def _hand_over(self, action: Action) -> None:
        if action.kind == "restart":
            self._begin(Order(action.why, "memory", drain=True))
        elif action.code == Why.BUDGET:
            self.restarts.give_up(action.why)
        elif action.kind == "refuse" and action.code != self._last_action.code:
            self._record(Kind.RESTART_REFUSED, action.why, {"code": action.code})
        self._last_action = action

    def _begin(self, order: Order) -> bool:
        with self._lock:
            if self.remedy is None or not self.remedy.start(order):
                return False
            if order.cause == "operator":
                return True  # who asks for a restart knows why, and it says nothing about the engine
            self.restarts.count()
            return True

    def _let_pass(self) -> None:
        """A restart that failed left the gate closed, and the engine is well: open it."""
        with self._lock:
            if not self._is_busy():
                self._gate.open()
