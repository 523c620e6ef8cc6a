"""How long one request waits for the engine, and what ends the wait.

Owns the bounds, the question whether the caller is still there, and the time
spent waiting. Never reads or writes a byte itself.

    bound("first_token", 60) -> wait(read) ... -> EngineTimeout | CallerGone
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ia0_daemon.errors import CallerGone, EngineTimeout

# How often a waiting request looks whether its caller is still there, in seconds.
# A caller who hangs up frees the engine within this time.
LOOK_INTERVAL_S = 0.2
# No wait is shorter: to the kernel none at all would mean for ever.
SHORTEST_WAIT_S = 0.001


class Patience:
    """The waits of one request, one bound after the other."""

    __slots__ = ("_bound", "_deadline", "_gone", "_looked", "_seconds", "_setting", "waited_s")

    def __init__(self, caller_gone: Callable[[], bool]) -> None:
        self._gone = caller_gone
        self._bound = self._setting = ""
        self._seconds = self._deadline = self._looked = 0.0
        self.waited_s = 0.0
        """Seconds spent waiting for the engine so far."""

    def bound(self, name: str, seconds: float, setting: str) -> None:
        """Begin a bound: from now, silence longer than `seconds` is an error that names `setting`."""
        # A plain float: the error bears it, and the settings' own type cannot be written as JSON.
        self._bound, self._seconds, self._setting = name, float(seconds), setting
        self._deadline = time.monotonic() + seconds

    def wait(self, read: Callable[[float], bytes]) -> bytes:
        """Give what `read` gives, once something has come.

        `read` is given the seconds after which it must raise `BlockingIOError`
        where nothing has come. Raises `EngineTimeout` when the bound has passed,
        and `CallerGone` when the caller hung up meanwhile.
        """
        began = time.monotonic()
        if began - self._looked >= LOOK_INTERVAL_S:
            self._check()  # an engine that is never silent for long must not hide that the caller has left
        try:
            while True:
                try:
                    return read(self._next_look_s())
                except BlockingIOError:
                    self._check()
        finally:
            self.waited_s += time.monotonic() - began

    def pause(self, seconds: float) -> None:
        """Wait for an engine that is not there. Raises `CallerGone` when the caller hung up meanwhile."""
        began = time.monotonic()
        time.sleep(seconds)
        self.waited_s += time.monotonic() - began
        self._check_caller()

    def _next_look_s(self) -> float:
        left_s = self._deadline - time.monotonic()
        return LOOK_INTERVAL_S if left_s >= LOOK_INTERVAL_S else max(SHORTEST_WAIT_S, left_s)

    def _check(self) -> None:
        self._looked = time.monotonic()
        self._check_caller()
        if self._looked >= self._deadline:
            raise EngineTimeout(
                f"the engine was silent for {self._seconds:g} s while {WAITING_FOR[self._bound]}; "
                f"{self._setting} allows no more",
                bound=self._bound,
                limit_s=self._seconds,
                setting=self._setting,
            )

    def _check_caller(self) -> None:
        if self._gone():
            raise CallerGone("the caller hung up before the answer was complete")


WAITING_FOR = {
    "load": "loading the model",
    "first_token": "working on the first token",
    "between_tokens": "writing the answer",
    "end": "ending the answer",
    "question": "answering a question about its models",
}
