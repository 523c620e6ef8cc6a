"""Waiting for one of a model's slots, which are as many as the engine computes at once.

Owns who holds a slot and who waits for one. Never asks the engine and knows no
gate but for the word that it is closed.

    take: a free slot, or a place in the queue -> its turn -> holds it -> given back when `resources` closes

A model has `slots` of them; the rest wait, at most `max_queue`, each at most
`timeout_s`. Who is next is said by `fair_queue.py`, when to come back by
`service_rate.py`. Time in which the engine is restarted does not count against
the deadline, so that a restart refuses nobody who waits already; the queue's
length stays a bound meanwhile, since threads and memory are.

A slot goes from hand to hand: who gives it back wakes the one that gets it,
and nobody else. No lock is held while anybody waits or a caller is looked at.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ia0_daemon.errors import CallerGone, Overloaded
from ia0_daemon.gate import LOOK_INTERVAL_S
from ia0_daemon.gateway.fair_queue import FairQueue
from ia0_daemon.gateway.service_rate import ServiceRate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request waits, under whose name, and the bounds in force."""

    model: str
    key: str
    slots: int
    max_queue: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Totals:
    """What happened before a model's slots since the daemon's start."""

    taken: int = 0
    """Slots taken, those without a wait included."""
    waited: int = 0
    """Requests that had to wait."""
    refused: int = 0
    """Found the queue full."""
    timed_out: int = 0
    gone: int = 0
    """Callers that hung up while they waited."""


@dataclass(slots=True)
class _Line:
    """What is known of one model."""

    slots: int
    queue: FairQueue[_Ticket] = field(default_factory=FairQueue)
    rate: ServiceRate = field(default_factory=ServiceRate)
    totals: dict[str, int] = field(default_factory=dict)

    def count(self, what: str) -> None:
        self.totals[what] = self.totals.get(what, 0) + 1


class _Ticket:
    """One request's way: it waits, then holds a slot, then is over; it may skip either."""

    __slots__ = ("granted", "key", "line", "since", "waits")

    def __init__(self, line: _Line, key: str) -> None:
        self.line, self.key = line, key
        self.waits = False
        self.since: float | None = None
        """From when on it holds a slot; none while it does not."""
        self.granted = threading.Event()


class Slots:
    """The slots of all models. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    def take(
        self,
        resources: ExitStack,
        wanted: Place,
        caller_gone: Callable[[], bool],
        held: Callable[[], bool],
    ) -> float:
        """Take a slot for as long as `resources` is open; gives the seconds waited.

        `held` says that the engine is being restarted. Raises `Overloaded` where
        the queue is full or the deadline passes, `CallerGone` where the caller hangs up.
        """
        came = self._clock()
        ticket = self._come(wanted)
        resources.callback(self._leave, ticket)
        if ticket.since is not None:
            return 0.0
        try:
            self._wait(ticket, wanted, caller_gone, held)
        except BaseException:
            self._leave(ticket)
            raise
        return self._clock() - came

    def limit(self, slots: Mapping[str, int]) -> None:
        """Change how many slots models have, as a reload does; who waits is let in at once."""
        with self._lock:
            for model, number in slots.items():
                self._resize(self._line(model, number), number)

    def waiting(self, model: str) -> int:
        """Give how many requests wait for a model."""
        with self._lock:
            line = self._lines.get(model)
            return line.queue.waiting if line else 0

    def busy(self, model: str) -> int:
        """Give how many slots of a model are held."""
        with self._lock:
            line = self._lines.get(model)
            return line.queue.busy if line else 0

    def totals(self, model: str) -> Totals:
        """Give the counts of a model since the daemon's start."""
        with self._lock:
            line = self._lines.get(model)
            return Totals(**line.totals) if line else Totals()

    def _come(self, wanted: Place) -> _Ticket:
        with self._lock:
            line = self._line(wanted.model, wanted.slots)
            if wanted.slots != line.slots:
                self._resize(line, wanted.slots)
            ticket = _Ticket(line, wanted.key)
            if line.queue.busy < line.slots:  # then nobody waits
                line.queue.take(wanted.key)
                self._hold(ticket)
                return ticket
            if line.queue.waiting >= wanted.max_queue:
                line.count("refused")
                raise _full(line, wanted)
            line.count("waited")
            line.queue.join(wanted.key, ticket)
            ticket.waits = True
            return ticket

    def _wait(
        self, ticket: _Ticket, wanted: Place, caller_gone: Callable[[], bool], held: Callable[[], bool]
    ) -> None:
        left_s, was_held, looked = wanted.timeout_s, held(), self._clock()
        while not ticket.granted.wait(LOOK_INTERVAL_S if was_held else min(LOOK_INTERVAL_S, left_s)):
            if caller_gone():
                return self._hang_up(ticket)
            is_held, now = held(), self._clock()
            if not (was_held or is_held):
                left_s -= now - looked
            was_held, looked = is_held, now
            if left_s <= 0:
                return self._be_late(ticket, wanted)
        return None

    def _hang_up(self, ticket: _Ticket) -> None:
        """Leave the queue; who was given a slot just now goes on, and ends at the next look."""
        with self._lock:
            if self._quit(ticket, "gone"):
                raise CallerGone("the caller hung up while it waited for a slot of the model")

    def _be_late(self, ticket: _Ticket, wanted: Place) -> None:
        """Leave the queue, unless a slot was given just now."""
        with self._lock:
            if self._quit(ticket, "timed_out"):
                text = f"no slot of {wanted.model} was free within {wanted.timeout_s:g} s"
                raise _refusal(ticket.line, wanted, text, "admission.queue_timeout_s")

    def _quit(self, ticket: _Ticket, why: str) -> bool:
        if not ticket.waits:
            return False
        ticket.waits = False
        ticket.line.queue.leave(ticket.key, ticket)
        ticket.line.count(why)
        return True

    def _leave(self, ticket: _Ticket) -> None:
        """Give back what the ticket has, a slot or a place in the queue; once, however often it is called."""
        with self._lock:
            line = ticket.line
            if ticket.waits:
                ticket.waits = False
                line.queue.leave(ticket.key, ticket)
            elif ticket.since is not None:
                line.rate.note(self._clock() - ticket.since)
                ticket.since = None
                line.queue.release(ticket.key)
                self._hand_out(line)

    def _resize(self, line: _Line, slots: int) -> None:
        line.slots = slots
        self._hand_out(line)

    def _hand_out(self, line: _Line) -> None:
        """Wake those who get the free slots, and nobody else."""
        while line.queue.busy < line.slots and (ticket := line.queue.next_one()) is not None:
            ticket.waits = False
            self._hold(ticket)
            ticket.granted.set()

    def _hold(self, ticket: _Ticket) -> None:
        ticket.since = self._clock()
        ticket.line.count("taken")

    def _line(self, model: str, slots: int) -> _Line:
        line = self._lines.get(model)
        if line is None:
            line = self._lines[model] = _Line(slots)
        return line


def _full(line: _Line, wanted: Place) -> Overloaded:
    text = f"{line.queue.waiting} requests wait for {wanted.model}; admission.max_queue allows no more"
    return _refusal(line, wanted, text, "admission.max_queue")


def _refusal(line: _Line, wanted: Place, text: str, setting: str) -> Overloaded:
    waiting = line.queue.waiting
    return Overloaded(
        text,
        retry_after_s=line.rate.retry_after_s(waiting, line.slots),
        model=wanted.model,
        waiting=waiting,
        slots=line.slots,
        setting=setting,
    )
