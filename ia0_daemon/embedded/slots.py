"""The slots of a loaded model: how many answers it writes at once.

Owns a counting semaphore whose wait ends when the caller hangs up. The wait has
no bound and no queue limit, as in Ollama. First come, first served.
"""

from __future__ import annotations

import threading
from collections import deque

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.failures import Cancelled


class Slots:
    """So many at once."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def acquire(self, context: Context) -> None:
        """Take a slot, or wait for one; Cancelled when the caller hangs up meanwhile."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        with context.on_cancel(turn.set):
            turn.wait()
        if context.cancelled:
            self._leave(turn)
            raise Cancelled

    def _leave(self, turn: threading.Event) -> None:
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return
        self.release()  # the slot was handed over just when the caller went

    def release(self) -> None:
        """Give a slot back, to the one who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
