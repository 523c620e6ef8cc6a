"""The restarts of the window, and whether they were given up (FAILED).

    a restart -> counted
    budget spent, or hopeless -> FAILED, said once -> a long calm, or an operator -> out of it

Owns FAILED and the count. Never restarts anything, and never decides that one is due.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.restart_budget import Allowance, Standing, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ia0_daemon.gate import Gate
    from ia0_daemon.settings.schema import Restart
    from ia0_daemon.supervisor.tell import Recorder


class Restarts:
    """What this daemon has restarted lately, an operator's restarts left out."""

    def __init__(self, gate: Gate, settings: Callable[[], Restart], record: Recorder) -> None:
        self._gate, self._settings, self._record = gate, settings, record
        self._times: list[float] = []
        self._calm_since = 0.0
        self.failed = ""
        """Why restarts were given up; empty while they were not."""

    def standing(self) -> Standing:
        """Give what is left of the budget."""
        settings = self._settings()
        allowance = Allowance(
            settings.max_restarts, settings.window_s, settings.cooldown_s, settings.max_cooldown_s
        )
        return standing(self._times, time.monotonic(), allowance)

    def count(self) -> None:
        """Take note of one that begins."""
        now, window_s = time.monotonic(), self._settings().window_s
        self._times = [*(at for at in self._times if now - at < window_s), now]

    def give_up(self, reason: str) -> None:
        """Give up, and say so: requests get their errors at once, and people an alert."""
        if self.failed:
            return
        self.failed, self._calm_since = reason, time.monotonic()
        self._gate.open()
        used = self.standing().used
        self._record(
            Kind.SUPERVISOR_FAILED,
            f"Restarts were given up{f' after {used} of them' if used else ''}: {reason}",
            {"error": reason, "leave_by": "ia0 restart"},
        )

    def recover_when_calm(self, *, is_well: bool) -> None:
        """A long calm leaves FAILED: since then the engine was well at every look."""
        if not self.failed:
            return
        now = time.monotonic()
        if not is_well:
            self._calm_since = now
        elif now - self._calm_since >= self._settings().calm_s:
            self.begin_anew(f"the engine was well for {now - self._calm_since:.0f} s")

    def begin_anew(self, reason: str) -> None:
        """Leave FAILED, with the whole budget."""
        if self.failed:
            self.failed = ""
            self._times = []
            self._record(Kind.SUPERVISOR_RECOVERED, f"Restarts are possible again: {reason}.", {})
