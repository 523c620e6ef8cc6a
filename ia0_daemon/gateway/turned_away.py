"""Connections that are told an error at once and ended, without a worker thread.

Owns how a refusal reaches a caller who is still sending: a socket that is closed
while unread bytes are there resets the connection, and the caller loses what it
was told. So the refusal is sent, and what still comes is thrown away for a while.

    an error, a socket -> sent at once -> half closed -> closed by the caller, or when its time is up
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING

from waitress import wasyncore

from ia0_daemon.gateway.respond import encode

if TYPE_CHECKING:
    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.event_loop import Watched

# How long a caller that was turned away may take to read its refusal and close, in seconds.
FAREWELL_S = 2.0
# Most connections in that state: each holds a descriptor. Beyond that the oldest is closed.
MOST_FAREWELLS = 128
_THROWN_AWAY_BYTES = 65536


def refusal(error: ServiceError) -> bytes:
    """Write a whole HTTP answer that refuses and closes."""
    body = encode(error.body())
    headers = {
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "Date": formatdate(usegmt=True),
        "Server": "ia0",
        **error.headers(),
    }
    lines = [
        f"HTTP/1.1 {error.status} {error.code}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1") + body


class TurnedAway:
    """Those who were told and have not closed yet. For the loop's thread alone."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._leaving: dict[_Leaving, float] = {}

    def tell(self, sock: socket.socket, error: ServiceError) -> None:
        """Send the refusal, and let the caller close."""
        if not tell_once(sock, error):
            sock.close()
            return
        leaving = _Leaving(sock, self._watched, self._leaving)
        self._leaving[leaving] = time.monotonic() + FAREWELL_S
        if len(self._leaving) > MOST_FAREWELLS:
            next(iter(self._leaving)).handle_close()

    def close_overdue(self, now: float) -> None:
        """Close those whose time is up."""
        for leaving, until in list(self._leaving.items()):
            if now >= until:
                leaving.handle_close()


def tell_once(sock: socket.socket, error: ServiceError) -> bool:
    """Send the refusal and half close; false where the caller is gone. A new socket has room for it."""
    try:
        sock.setblocking(False)
        sock.send(refusal(error))
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        return False
    return True


class _Leaving(wasyncore.dispatcher):
    """A connection whose caller has been told."""

    def __init__(self, sock: socket.socket, watched: Watched, all_: dict[_Leaving, float]) -> None:
        self._all = all_
        super().__init__(sock, map=watched)
        self.connected = True

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        with suppress(BlockingIOError):
            self.recv(_THROWN_AWAY_BYTES)  # closes at the end of the stream

    def handle_close(self) -> None:
        self._all.pop(self, None)
        self.close()
