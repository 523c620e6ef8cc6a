"""What the supervisor tells of the engine, each thing once.

    what it saw -> was it told already? -> event

Owns what was told last. Never decides what is done about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ia0_daemon.supervisor.event_kinds import Kind

if TYPE_CHECKING:
    from ia0_daemon.supervisor.controller import Controller, EngineProcess
    from ia0_daemon.supervisor.remedy import Order
    from ia0_daemon.supervisor.verdicts import Verdict

Recorder = Callable[[Kind, str, dict[str, object]], None]

_OF_LEVEL = {"ok": Kind.MEMORY_OK, "soft": Kind.MEMORY_SOFT, "hard": Kind.MEMORY_HARD}

# A unit that systemd starts or stops is left alone, which is worth a word once it lasts so long, in seconds.
PASSING_S = 10.0


@dataclass(frozen=True, slots=True)
class Answering:
    """Whether the engine answers, as the engine's watch last saw it."""

    answers: bool
    since_s: float
    """For how long it has been so."""


class Teller:
    """Records what changed, and says nothing twice."""

    def __init__(self, record: Recorder, controller: Controller) -> None:
        self._record, self._controller = record, controller
        self._answered = True
        self._ailment_told = False
        self._left_alone = ""

    def engine(self, answering: Answering) -> None:
        """Record that the engine has gone or come back by itself."""
        if answering.answers == self._answered:
            return
        self._answered = answering.answers
        if answering.answers:
            self._record(Kind.ENGINE_UP, "The engine answers.", {})
        else:
            self._record(Kind.ENGINE_DOWN, "The engine does not answer.", {})

    def ailment(self, order: Order) -> None:
        """Record what is wrong: restarts that fail are events of their own."""
        if not self._ailment_told:
            self._ailment_told = True
            details = {"cause": order.cause, **self._controller.post_mortem()}
            self._record(Kind.ENGINE_CRASHED, f"The engine is ailing: {order.reason}.", details)

    def forget_ailment(self) -> None:
        """The engine is well: whatever comes now is a new ailment."""
        self._ailment_told = False

    def process(self, process: EngineProcess, answering: Answering, *, is_drained: bool) -> None:
        """Record what happened to the engine's process without the supervisor, and why it is left alone."""
        if process.news and not is_drained:
            kind = Kind.ENGINE_CRASHED if process.ended else Kind.ENGINE_UP
            details = {"cause": "systemd", **self._controller.post_mortem()}
            self._record(kind, f"{process.news}.", details)
        if answering.answers:
            self._left_alone = ""
        elif process.left_alone and answering.since_s >= PASSING_S:
            self.left_alone(process.left_alone, f"the engine is left alone: {process.left_alone}")

    def left_alone(self, cause: str, why: str) -> None:
        """Record why no restart comes; once for a cause, until the engine is well."""
        if cause != self._left_alone:
            self._left_alone = cause
            self._record(Kind.RESTART_REFUSED, f"{why[0].upper()}{why[1:]}.", {"code": "left_alone"})

    def level(self, verdict: Verdict, before: str) -> None:
        """Record a change of the memory's level."""
        if verdict.level == before:
            return
        summary = verdict.reasons[0].text if verdict.reasons else "Memory is below every threshold again."
        reasons = [reason.text for reason in verdict.reasons]
        self._record(_OF_LEVEL[verdict.level], summary, {"before": before, "reasons": reasons})
