"""A socket as the file that `http.client` reads from, in which every wait is the patience's affair.

Owns nothing: the socket is its caller's. For the rare requests that `relay.py` hands over; answers are
read by `response.py`.
"""

from __future__ import annotations

import io
import select
from functools import partial
from typing import TYPE_CHECKING, cast

from ia0_daemon.engine.connection import READ_BYTES, read_within

if TYPE_CHECKING:
    import socket

    from ia0_daemon.engine.patience import Patience


class _WatchedFile(io.RawIOBase):
    """A socket's bytes."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock = sock
        self._patience = patience
        self._poller = select.poll()
        self._poller.register(sock, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the buffer is always writable
        data = self._patience.wait(partial(read_within, self._sock, self._poller, len(buffer)))
        buffer[: len(data)] = data
        return len(data)


class WatchedSocket:
    """What `http.client.HTTPResponse` needs of a socket that does not block."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        raw = _WatchedFile(sock, patience)
        self._file = io.BufferedReader(cast("io.RawIOBase", raw), READ_BYTES)

    def makefile(self, _mode: str) -> io.BufferedIOBase:
        """Give the one file of it."""
        return self._file
