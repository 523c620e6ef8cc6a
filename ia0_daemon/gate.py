"""The one thing that gateway and supervisor share: requests pass it, the supervisor closes it to drain.

Owns who is past it and who waits at it. Never asks the engine anything and
never knows why it is closed, but for the word that it was given.

    request:     enter -> (waits while closed) -> in flight -> leave
    supervisor:  close -> drained -> ... restart ... -> open
    operator:    shut ................................ unshut

A restart closes it, and requests wait; an operator shuts it, and new requests
are refused, or wait where the operator says so (hold). The two know nothing of
each other: neither's end opens what the other holds. A request whose answer was
cut leaves and enters again; such a one always finds a place to wait and is not
refused by an operator's word, since it has a promise to keep.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ia0_daemon.errors import CallerGone, EngineRestarting

# How often a waiting request looks whether its caller is still there, in seconds.
LOOK_INTERVAL_S = 0.2


@dataclass(slots=True)
class Tally:
    """What happened to requests because the gate was closed; one for each closing."""

    in_flight: int = 0
    """Answers under way when it closed."""
    waited: int = 0
    refused: int = 0
    cut: int = 0
    asked_again: int = 0
    went_on: int = 0
    failed: int = 0
    pending: int = 0
    """Cut answers whose outcome is not known yet."""

    def details(self) -> dict[str, int]:
        """Give the counts for an event."""
        names = ("in_flight", "waited", "refused", "cut", "asked_again", "went_on", "failed")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Closing:
    """Why the gate is closed, and for how long it will probably be."""

    reason: str
    may_wait: bool
    expected_s: float
    since: float = field(default_factory=time.monotonic)

    def retry_after_s(self) -> int:
        """Give a caller the seconds after which it is worth coming back."""
        return max(1, round(self.expected_s - (time.monotonic() - self.since)))


class Gate:
    """Open, or closed with a reason. Safe to use from many threads."""

    def __init__(self, max_waiting: int, max_wait_s: float) -> None:
        self._changed = threading.Condition()
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._in_flight = 0
        self._waiting = 0
        self._closing: Closing | None = None
        self._shut: Closing | None = None
        self._idle_since = time.monotonic()
        self.tally = Tally()

    @property
    def in_flight(self) -> int:
        """How many requests are past it."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many requests wait at it."""
        return self._waiting

    @property
    def closing(self) -> Closing | None:
        """Why new requests do not pass; none while they do. An operator's word stands before a restart."""
        return self._shut or self._closing

    def is_closed(self) -> bool:
        """Say whether requests have to wait, or are refused."""
        return self.closing is not None

    def idle_for_s(self) -> float:
        """Give the seconds since the last request left; 0 while one is past it or waits."""
        if self._in_flight or self._waiting:
            return 0.0
        return time.monotonic() - self._idle_since

    def limit(self, max_waiting: int, max_wait_s: float) -> None:
        """Change the bounds, as a reload does."""
        with self._changed:
            self._max_waiting, self._max_wait_s = max_waiting, max_wait_s

    def enter(self, caller_gone: Callable[[], bool], *, again: bool = False) -> float:
        """Pass, or wait until it opens. Gives the seconds waited; `leave` must follow.

        `again`: the request was past it before and was cut. Raises
        `EngineRestarting` where it may not wait or has waited too long, and
        `CallerGone` when its caller hung up meanwhile.
        """
        with self._changed:
            if self._shut is not None and not self._shut.may_wait and not again:
                raise _refusal(self._shut)
            barrier = self._barrier
            if barrier is None:
                self._in_flight += 1
                return 0.0
            self._check_room(barrier, again=again)
            waited_s = self._wait(caller_gone)
            self._in_flight += 1
            return waited_s

    def leave(self) -> None:
        """Say that the request is past the engine, or that its answer was cut."""
        with self._changed:
            self._in_flight -= 1
            self._idle_since = time.monotonic()
            self._changed.notify_all()

    def close(self, reason: str, *, expected_s: float) -> Tally:
        """Let everybody wait from now on. Gives the tally that this closing fills.

        A restart that failed leaves it closed for the next one, which then
        goes on with the same tally: to those who wait it is one.
        """
        with self._changed:
            if self._closing is None:
                self.tally = Tally(in_flight=self._in_flight)
            self._closing = Closing(reason, may_wait=True, expected_s=expected_s)
            return self.tally

    def open(self) -> None:
        """Let those pass who wait, and new requests unless an operator has shut it."""
        with self._changed:
            self._closing = None
            self._changed.notify_all()

    def shut(self, reason: str, *, expected_s: float, hold: bool = False) -> Tally:
        """Refuse new requests from now on, or let them wait; those that were taken before are finished."""
        with self._changed:
            if self._closing is None and self._shut is None:
                self.tally = Tally(in_flight=self._in_flight)
            self._shut = Closing(reason, may_wait=hold, expected_s=expected_s)
            return self.tally

    def unshut(self) -> None:
        """Take new requests again, and let those pass who wait for no restart."""
        with self._changed:
            self._shut = None
            self._changed.notify_all()

    def drained(self, timeout_s: float) -> bool:
        """Wait until nobody is past it; false where the time ended first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._in_flight == 0, timeout_s)

    def settled(self, tally: Tally, timeout_s: float) -> bool:
        """Wait until each cut answer of a closing has its outcome; false where the time ended first."""
        with self._changed:
            return self._changed.wait_for(lambda: tally.pending == 0, timeout_s)

    def note_cut(self) -> Tally:
        """Count an answer that was cut; `note_outcome` must follow with what this gives."""
        with self._changed:
            self.tally.cut += 1
            self.tally.pending += 1
            return self.tally

    def note_outcome(self, tally: Tally, outcome: str) -> None:
        """Count what became of a cut answer: `asked_again`, `went_on` or `failed`."""
        with self._changed:
            setattr(tally, outcome, getattr(tally, outcome) + 1)
            tally.pending -= 1
            self._changed.notify_all()

    @property
    def _barrier(self) -> Closing | None:
        """What those wait for who may wait."""
        held = self._shut if self._shut is not None and self._shut.may_wait else None
        return self._closing or held

    def _check_room(self, closing: Closing, *, again: bool) -> None:
        if again or self._waiting < self._max_waiting:
            return
        self.tally.refused += 1
        raise _refusal(closing)

    def _wait(self, caller_gone: Callable[[], bool]) -> float:
        began = time.monotonic()
        self._waiting += 1
        self.tally.waited += 1
        try:
            while (barrier := self._barrier) is not None:
                if caller_gone():
                    raise CallerGone("the caller hung up while it waited for the engine's restart")
                if time.monotonic() - began >= self._max_wait_s:
                    raise _refusal(barrier)
                self._changed.wait(LOOK_INTERVAL_S)
            return time.monotonic() - began
        finally:
            self._waiting -= 1


def _refusal(closing: Closing) -> EngineRestarting:
    return EngineRestarting(
        f"requests cannot be taken now: {closing.reason}",
        retry_after_s=closing.retry_after_s(),
        reason=closing.reason,
    )
