"""Equal requests at one time, computed once.

    the first one begins a flight, the others join it -> whoever needs the next piece and finds nobody
    waiting for it pulls it, for all -> the last one to leave closes it

Nobody owns a flight: pulling is a turn, not a role. So a caller who hangs up takes
nothing from the others, and the engine goes on as long as one of them is there.
Owns that turn-taking; never knows what a piece is.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ia0_daemon.engine.patience import LOOK_INTERVAL_S
from ia0_daemon.errors import CallerGone, InternalError, ServiceError
from ia0_daemon.gateway.call import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.gateway.chain import ChainAnswer


class Flight:
    """One answer for several callers. Safe to use from many threads."""

    def __init__(self, key: bytes, first: Call, begin: Callable[[Call], ChainAnswer]) -> None:
        """`begin` makes the answer, with the slip of the way to the engine, which belongs to no caller."""
        self.key = key
        self._callers: list[Callable[[], bool]] = []
        self._boarding = threading.Lock()
        self.is_left = False
        """Whether nobody is on it any more, and nobody may board."""
        self.call = Call(
            request_id=first.request_id,
            method=first.method,
            path=first.path,
            route=first.route,
            remote=first.remote,
            caller_gone=self._is_abandoned,
            stream=first.stream,
        )
        self.answer = begin(self.call)
        self._is_done = False
        self._changed = threading.Condition()
        self._source = self.answer.pieces()
        self._pieces: list[list[ChatLine]] = []
        self._error: ServiceError | None = None
        self._is_pulling = False

    def board(self, caller_gone: Callable[[], bool]) -> bool:
        """Count a caller among those who wait; false where it is too late for that."""
        with self._boarding:
            if self.is_left or self._is_done:
                return False
            self._callers.append(caller_gone)
            return True

    def leave(self, caller_gone: Callable[[], bool]) -> None:
        """Count it no longer; the last one closes the answer."""
        with self._boarding:
            self._callers.remove(caller_gone)
            self.is_left = not self._callers
        if self.is_left:
            self.answer.close()

    def pieces(self, call: Call) -> Iterator[list[ChatLine]]:
        """Give what comes, from the first piece on. Raises what ended the answer, and `CallerGone`."""
        at = 0
        while True:
            if self._must_pull(at, call):
                self._pull(call)
            elif at < len(self._pieces):
                yield self._pieces[at]
                at += 1
            elif self._error is not None:
                raise self._error
            else:
                return

    def _must_pull(self, at: int, call: Call) -> bool:
        """Wait for piece `at`; true where it is this caller's turn to pull it."""
        began = time.monotonic()
        with self._changed:
            while at >= len(self._pieces) and not self._is_done:
                if not self._is_pulling:
                    self._is_pulling = True
                    return True
                self._changed.wait(LOOK_INTERVAL_S)
                if call.caller_gone():
                    raise CallerGone("the caller hung up before the answer was complete")
        call.patience.waited_s += time.monotonic() - began
        return False

    def _pull(self, call: Call) -> None:
        """Wait for the engine, for all."""
        waited_s = self.call.patience.waited_s
        piece: list[ChatLine] | None = None
        error: ServiceError | None = InternalError()  # a defect is raised here, and told to the others so
        try:
            piece = next(self._source, None)
            error = None
        except ServiceError as caught:
            error = caught
        finally:
            call.patience.waited_s += self.call.patience.waited_s - waited_s
            self._take(piece, error)

    def _take(self, piece: list[ChatLine] | None, error: ServiceError | None) -> None:
        with self._changed:
            self._is_pulling = False
            if piece is not None:
                self._pieces.append(piece)
            else:
                self._is_done, self._error = True, error
            self._changed.notify_all()

    def _is_abandoned(self) -> bool:
        """Say whether all have hung up; then nobody boards any more, since the answer is given up."""
        with self._boarding:
            self.is_left = self.is_left or all(gone() for gone in self._callers)
            return self.is_left


class Flights:
    """The flights under way, by what they are for. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[bytes, Flight] = {}
        self.shared = 0
        """How many requests found one that was under way."""

    def join(self, key: bytes, call: Call, begin: Callable[[Call], ChainAnswer]) -> tuple[Flight, bool]:
        """Board the flight for `key`, or begin one; say whether it was there. It is left when `call` ends."""
        with self._lock:
            flight = self._flights.get(key)
            is_there = flight is not None and flight.board(call.caller_gone)
            if flight is None or not is_there:
                flight = self._flights[key] = Flight(key, call, begin)
                flight.board(call.caller_gone)
            self.shared += is_there
        call.resources.callback(self._leave, flight, call.caller_gone)
        return flight, is_there

    def __len__(self) -> int:
        return len(self._flights)

    def _leave(self, flight: Flight, caller_gone: Callable[[], bool]) -> None:
        flight.leave(caller_gone)
        with self._lock:
            if flight.is_left and self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
