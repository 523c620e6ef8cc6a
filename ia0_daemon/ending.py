"""How a daemon ends without losing a request.

    no new connections -> answers under way and those who wait -> connections that are still used -> idle ones

Sockets of systemd's are only let go: what knocks from now on waits in the kernel
for the next process. On a connection that is kept open a request may come at any
moment; it is answered with `Connection: close` as long as the daemon is there.
Those who wait for a restart of the engine are waited for, beyond the grace.
Owns the bounds of the end; never decides that there is one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ia0_daemon.gateway.listener import Listener
    from ia0_daemon.gateway.service import Service
    from ia0_daemon.supervisor.supervision import Supervision
    from ia0_daemon.systemd.notify import Notifier

# How often the end looks whether all answers are out, in seconds.
LOOK_S = 0.05
# How often systemd is told that it goes on, and a held gate's engine asked whether it answers, in seconds.
TELL_S = 1.0
# A caller that keeps its connection and asks one thing after the other comes back within so many seconds.
QUIET_S = 1.0
# What systemd is asked for beyond the present bound, in seconds.
SPARE_S = 15.0


@dataclass
class Ending:
    """The end of one daemon."""

    service: Service
    supervision: Supervision
    notifier: Notifier

    def drain(self, listener: Listener, within_s: float = float("inf")) -> int:
        """Let a listener's requests finish. Gives the number of answers that had to be cut."""
        listener.stop_accepting()
        self._wait(listener, min(within_s, self._grace_s))
        return self.service.admission.in_flight

    def _wait(self, listener: Listener, grace_s: float) -> None:
        began = time.monotonic()
        told_at = float("-inf")
        until = began + grace_s
        while time.monotonic() < until:
            if not listener.is_busy(QUIET_S) and listener.close_idle():
                return
            if time.monotonic() - told_at >= TELL_S:
                told_at = time.monotonic()
                until = self._tell(began, until)
            time.sleep(LOOK_S)

    def _tell(self, began: float, until: float) -> float:
        """Feed the watchdog, and give the bound anew: a restart that some wait for moves it."""
        self.notifier.alive()
        self.notifier.status(f"ending: {self.service.admission.in_flight} answers are under way")
        self.supervision.drains.let_the_waiting_pass()
        if self.service.gate.waiting and self.supervision.is_restarting:
            wait_s = self.service.live.settings.restart.max_wait_s
            until = min(time.monotonic(), began + wait_s) + self._grace_s
            self.notifier.more_time(until - time.monotonic() + SPARE_S)
        return until

    @property
    def _grace_s(self) -> float:
        return self.service.live.settings.server.shutdown_grace_s
