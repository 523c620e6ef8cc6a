"""Connections to the engine: kept, replaced where they died, cut when nobody listens any more.

Owns which connection a request gets and what becomes of it. Never knows what a
request means; the bytes are `connection.py`'s, their parsing is `response.py`'s.

    Wire.post(path, body, patience) -> Exchange -> lines() ... -> close()

Every wait goes through `Patience`: that is the one place where a stalled engine
and a caller who left are noticed, headers and body alike. `requests` would do
the same work at a tenth of the speed.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ia0_daemon.engine.connection import Connection, connect
from ia0_daemon.engine.response import BrokenResponse, Response
from ia0_daemon.errors import ServiceError

if TYPE_CHECKING:
    from ia0_daemon.engine.patience import Patience
    from ia0_daemon.settings.engine_address import Address

# Idle connections kept for later requests.
MAX_IDLE = 128
# How long a connection that was seen alive is taken for alive, in seconds: no engine ends and is there again
# in less, and each look costs a request under load more than its own work with the wire.
FRESH_S = 0.02
# Ollama refuses a foreign Host on a loopback listener with 403 [src server/routes.go].
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\n"
    "Content-Type: application/json\r\nContent-Length: {size}\r\n{more}\r\n"
)
# Goes along so that the engine's log, where it writes one, can be held against ours. Ollama ignores it.
REQUEST_ID = "X-Request-ID: {}\r\n"


class EngineCut(Exception):
    """The engine closed the connection before it had answered."""


class Exchange:
    """One request that the engine is answering."""

    def __init__(
        self,
        connection: Connection,
        response: Response,
        patience: Patience,
        keep: Callable[[Connection], None],
    ) -> None:
        self._connection = connection
        self._response = response
        self._patience = patience
        self._keep = keep
        self.status = response.status

    def lines(self) -> Iterator[list[bytes]]:
        """Give the lines of the body as they come, those of one read together.

        Raises `EngineCut` where the body ends before it is complete.
        """
        rest = b""
        while data := self._read():
            *lines, rest = (rest + data).split(b"\n")
            if lines:
                yield lines
        if rest:
            yield [rest]

    def body(self) -> bytes:
        """Give the rest of the body at once."""
        return b"".join(iter(self._read, b""))

    def _read(self) -> bytes:
        """Give what has come of the body, or wait for more; nothing at its end."""
        response = self._response
        try:
            while not (data := response.take()) and not response.complete:
                _receive(self._connection, response, self._patience)
        except (BrokenResponse, OSError) as error:
            raise EngineCut(f"the engine cut the connection in mid-answer ({error!r})") from error
        return data

    def close(self, *, answered: bool = False) -> None:
        """Keep the connection where the answer was read to its end; else cut it, which stops the engine.

        `answered`: the last line was read, so that only the end of the body may be missing.
        """
        if answered and not self._response.complete:
            with contextlib.suppress(EngineCut, ServiceError):
                self._read()
        if self._response.keeps_open:
            self._keep(self._connection)
        else:
            self._connection.close()
        self._response.close()


class Wire:
    """The connections to one engine. Safe to use from many threads.

    There is no lock: a deque's `pop` and `append` are whole steps, and whoever
    has popped a connection has it alone.
    """

    def __init__(self, address: Address, connect_timeout_s: float) -> None:
        self.address = address
        self._timeout_s = connect_timeout_s
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._idle: deque[Connection] = deque()
        self._most_idle = MAX_IDLE

    def post(self, path: str, body: bytes, patience: Patience, request_id: str = "") -> Exchange:
        """Send a request and return once the engine's status line and headers are there.

        A kept connection that turns out to be dead is replaced by a new one,
        once. Raises `EngineAbsent` where nobody listens, `EngineCut` where the
        connection ended without an answer, and what `patience` raises.
        """
        more = REQUEST_ID.format(request_id) if request_id else ""
        head = HEAD.format(path=self.address.path + path, size=len(body), more=more)
        data = head.encode("ascii") + body
        kept = self._kept()
        if kept is not None:
            try:
                return self._exchange(kept, data, patience)
            except EngineCut:
                self.drop_idle()
        return self._exchange(connect(self.address, self._timeout_s, self._tls), data, patience)

    def lost(self) -> bool:
        """Say whether the engine has closed the kept connections, as it does when it ends; drops them then.

        One connection is looked at for all: the one that the next request would
        take; and none that was seen alive just now.
        """
        connection = self._pop()
        if connection is None:
            return False
        if _lives(connection):
            self._push(connection)
            return False
        connection.close()
        self.drop_idle()
        return True

    def close(self) -> None:
        """Keep no connection any more. Those in use are closed when their answers end."""
        self._most_idle = 0
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close every idle connection."""
        while (connection := self._pop()) is not None:
            connection.close()

    def _exchange(self, connection: Connection, data: bytes, patience: Patience) -> Exchange:
        response = Response()
        try:
            connection.send(data)
            while not response.begun:
                _receive(connection, response, patience)
        except BaseException as error:
            connection.close()
            response.close()
            if isinstance(error, BrokenResponse | OSError):
                raise EngineCut(f"the engine closed the connection without an answer ({error!r})") from error
            raise
        return Exchange(connection, response, patience, self._keep)

    def _kept(self) -> Connection | None:
        while (connection := self._pop()) is not None:
            if _lives(connection):
                return connection
            connection.close()  # the engine has closed it, or sent what nobody asked for
        return None

    def _keep(self, connection: Connection) -> None:
        connection.fresh_at = time.monotonic()
        self._push(connection)

    def _pop(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _push(self, connection: Connection) -> None:
        if len(self._idle) >= self._most_idle:
            connection.close()
            return
        self._idle.append(connection)
        if self._most_idle == 0:
            self.drop_idle()  # `close` may have come between


def _lives(connection: Connection) -> bool:
    return time.monotonic() - connection.fresh_at < FRESH_S or connection.is_quiet()


def _receive(connection: Connection, response: Response, patience: Patience) -> None:
    """Wait for what comes next, and parse it."""
    data = connection.receive(patience)
    if data:
        response.feed(data)
    else:
        response.end()
