"""Whether anybody still waits for an answer, and who must be told when not.

    watcher.watching(socket, context): the context is cancelled when the caller hangs up

Owns the counterpart of Go's request context. One thread watches every socket
with epoll, so that a request that is waiting for a model, for a slot or for a
token needs no polling of its own. Never reads from a socket.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ia0_daemon.embedded.failures import Cancelled


class Context:
    """One request's life: cancelled once, for good."""

    def __init__(self, request_id: str = "") -> None:
        self.request_id = request_id
        """What the caller calls it, for the log."""
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Cancel and tell everybody who asked to be told."""
        with self._lock:
            self._cancelled.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise Cancelled when nobody waits any more."""
        if self.cancelled:
            raise Cancelled

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until cancelled or until the seconds are over; True when cancelled."""
        return self._cancelled.wait(timeout)

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call this when the request is cancelled inside the block (at once if it is already)."""
        with self._lock:
            is_late = self._cancelled.is_set()
            if not is_late:
                self._callbacks.append(callback)
        if is_late:
            callback()
        try:
            yield
        finally:
            with self._lock, suppress(ValueError):
                self._callbacks.remove(callback)


class HangupWatcher:
    """Watches the sockets of requests under way."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Context] = {}
        threading.Thread(target=self._run, name="hangup-watcher", daemon=True).start()

    @contextmanager
    def watching(self, connection: socket.socket, context: Context) -> Iterator[None]:
        """Cancel the context if the caller hangs up inside the block."""
        number = connection.fileno()
        self._watched[number] = context
        self._epoll.register(number, select.EPOLLRDHUP | select.EPOLLONESHOT)
        try:
            yield
        finally:
            # The server may have closed the socket meanwhile, which takes it out of the epoll.
            with suppress(OSError, ValueError):
                self._epoll.unregister(number)
            self._watched.pop(number, None)

    def _run(self) -> None:
        while True:
            for number, _ in self._epoll.poll():
                self._tell(number)

    def _tell(self, number: int) -> None:
        """Cancel who is watched under a number that was reported, if its caller has really gone.

        Between the report and now another connection may have got the number of one that was closed.
        """
        context = self._watched.get(number)
        if context is not None and _has_hung_up(number):
            context.cancel()


def _has_hung_up(number: int) -> bool:
    poller = select.poll()
    poller.register(number, select.POLLRDHUP)
    return bool(poller.poll(0))
