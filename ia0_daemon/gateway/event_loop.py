"""The loop of a listener: what its descriptors wait for is known to the kernel.

waitress' own loop asks every connection at every turn what it waits for, and
builds a poll object of the answers: with 2,000 idle connections that is most of
what a request costs. Here the kernel keeps the list (epoll), and a connection is
asked again only when something has happened to it.

    epoll -> what has happened -> those it happened to are asked anew -> once a second: upkeep

Owns the list and the turns; never reads or writes a connection itself.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from waitress import wasyncore

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

# How often connections are looked over for those whose time is up, in seconds.
UPKEEP_S = 1.0
# How long the loop rests after a defect of its own, in seconds.
AFTER_FAULT_S = 0.1


class Watched(dict[int, Any]):
    """waitress' map of descriptors. What is put in is watched until it is taken out; at first for reading."""

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll()

    def __setitem__(self, descriptor: int, thing: Any) -> None:
        super().__setitem__(descriptor, thing)
        thing.interest = select.EPOLLIN
        self._epoll.register(descriptor, thing.interest)

    def __delitem__(self, descriptor: int) -> None:
        super().__delitem__(descriptor)
        self._epoll.unregister(descriptor)

    def wait(self, timeout_s: float) -> list[tuple[int, int]]:
        """Wait until something happens: descriptors, and flags that are poll's, too."""
        return self._epoll.poll(timeout_s)

    def ask(self, thing: Any) -> None:
        """Watch a connection for what it waits for now.

        Asked again after each change: a worker thread that changes it meanwhile compares
        with `interest`, so either it sees the new one or this sees what it has changed.
        """
        descriptor = thing._fileno
        if descriptor not in self or self[descriptor] is not thing:
            return  # it was closed
        while (wanted := wants(thing)) != thing.interest:
            thing.interest = wanted
            self._epoll.modify(descriptor, wanted)

    def close(self) -> None:
        """Give the kernel's list back."""
        self._epoll.close()


def wants(channel: Any) -> int:
    """Give what a connection waits for now."""
    return (select.EPOLLIN if channel.readable() else 0) | (select.EPOLLOUT if channel.writable() else 0)


class Loop:
    """The turns over what is watched, and the word of worker threads that a connection has changed."""

    def __init__(self, watched: Watched, wake: Callable[[], None], upkeep: Callable[[float], None]) -> None:
        self._watched, self._wake, self._upkeep = watched, wake, upkeep
        self._changed: deque[Any] = deque()
        self._mine = threading.local()
        self._upkeep_at = time.monotonic() + UPKEEP_S

    def serving(self, channel: Any | None) -> None:
        """Say which connection this worker thread serves now; None: none any more."""
        self._mine.channel = channel

    def wake(self) -> None:
        """Have the loop take a turn, where there is something to do.

        waitress asks for it after each request. Mostly the connection waits for the same as before.
        """
        channel = getattr(self._mine, "channel", None)
        if channel is not None:
            if wants(channel) == channel.interest:
                return
            self._changed.append(channel)
        self._wake()

    def run(self) -> None:
        """Take turns until nothing is watched any more."""
        while self._watched:
            try:
                self.turn(max(0.0, self._upkeep_at - time.monotonic()))
            except Exception:
                # The edge of the thread: a defect must not leave the listener deaf, nor spin.
                log.exception("a turn of a listener failed")
                time.sleep(AFTER_FAULT_S)
        self._watched.close()

    def turn(self, timeout_s: float) -> None:
        """Wait once, and do what is due."""
        # Found before anything is done: one that is taken may get the descriptor of one that is closed now.
        happened = self._watched.wait(timeout_s)
        events = [(self._watched.get(descriptor), flags) for descriptor, flags in happened]
        for thing, flags in events:
            if thing is not None and thing._fileno is not None:
                wasyncore.readwrite(thing, flags)
                self._watched.ask(thing)
        while self._changed:
            self._watched.ask(self._changed.popleft())
        now = time.monotonic()
        if now >= self._upkeep_at:
            self._upkeep_at = now + UPKEEP_S
            self._upkeep(now)
            for thing in list(self._watched.values()):
                self._watched.ask(thing)
