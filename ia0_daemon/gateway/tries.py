"""How often one request asks the engine: its seat at the gate, the cuts it met, and whether it may ask again.

    enter -> ask -> leave                  the usual case
    enter -> ask -> cut! -> ask_again: nudge, pause, enter, ask ... -> settle

Owns the counting, and tells the gate what came of each cut. Never knows what is
asked, nor whether what was handed out already allows another try.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ia0_daemon.errors import EngineAbsent, EngineInterrupted, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ia0_daemon.gate import Gate, Tally
    from ia0_daemon.gateway.call import Call

T = TypeVar("T")

# How long a request waits before it asks an engine that did not take its connection again, in seconds.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class Endurance:
    """How far a request goes for its answer."""

    max_resumes: int
    max_wait_s: float
    is_hopeful: Callable[[], bool]
    """Whether an engine that is not there will be there again."""
    nudge: Callable[[], object]
    """Have the supervisor look now."""


class Tries:
    """The tries of one request. `settle` whatever comes of it: the gate counts on that."""

    def __init__(self, gate: Gate, call: Call, endurance: Endurance) -> None:
        self._gate, self._call, self._endurance = gate, call, endurance
        self._at_gate = False
        self._cuts = 0
        self._pending: Tally | None = None

    def enter(self) -> None:
        """Pass the gate, which refuses nobody whose answer was cut. Raises what the gate raises."""
        began = time.monotonic()
        try:
            again = self._pending is not None
            self._call.gate_s += self._gate.enter(self._call.caller_gone, again=again)
        except ServiceError:
            self._call.gate_s += time.monotonic() - began
            raise
        self._at_gate = True

    def leave(self) -> None:
        """Leave the gate, where it was passed."""
        if self._at_gate:
            self._at_gate = False
            self._gate.leave()

    def note_cut(self, cut: EngineInterrupted) -> None:
        """Count it, and remember that an outcome is owed."""
        self._cuts += not isinstance(cut, EngineAbsent)
        if self._pending is None:
            self._pending = self._gate.note_cut()

    def may_go_on(self) -> bool:
        """Say whether there may be another try, and hope for it."""
        return self._cuts <= self._endurance.max_resumes and self._endurance.is_hopeful()

    def ask_again(self, ask: Callable[[], T], cut: EngineInterrupted) -> T:
        """Ask an engine that will be back, in time and as often as is allowed; raises why it was not."""
        until = time.monotonic() + self._endurance.max_wait_s
        pause_s = FIRST_PAUSE_S
        while True:
            self._endurance.nudge()
            self._call.patience.pause(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            try:
                return ask()
            except EngineInterrupted as again:
                self.note_cut(again)
                if time.monotonic() >= until or not self.may_go_on():
                    raise again from cut

    def settle(self, outcome: str) -> None:
        """Tell the gate what came of the cuts since the last time: went_on, asked_again or failed."""
        tally, self._pending = self._pending, None
        if tally is not None:
            self._gate.note_outcome(tally, outcome)
