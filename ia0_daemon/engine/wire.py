"""Connections to the engine: kept, watched while they are silent, cut when nobody listens any more.

Owns the sockets. Never knows what a request means.

    Wire.post(path, body, patience) -> Exchange -> lines() ... -> close()

The standard library's response parser reads from a socket file of our own, in
which every wait goes through `Patience`: that is the one place where a stalled
engine and a caller who left are noticed, headers and body alike. `requests`
would do the same work at less than half the speed.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from ia0_daemon.errors import EngineAbsent, ServiceError

if TYPE_CHECKING:
    from ia0_daemon.engine.patience import Patience
    from ia0_daemon.settings.engine_address import Address

# One read takes what is there, up to this many bytes: a burst of tokens costs one wake-up.
READ_BYTES = 16 * 1024
# Idle connections kept for later requests.
MAX_IDLE = 128
# Ollama refuses a foreign Host on a loopback listener with 403 [src server/routes.go].
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\n"
    "Content-Type: application/json\r\nContent-Length: {size}\r\n{more}\r\n"
)
# Goes along so that the engine's log, where it writes one, can be held against ours. Ollama ignores it.
REQUEST_ID = "X-Request-ID: {}\r\n"


class EngineCut(Exception):
    """The engine closed the connection before it had answered."""


class _WatchedFile(io.RawIOBase):
    """A socket's bytes; waiting for them is the patience's affair."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock = sock
        self._patience = patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the buffer is always writable
        while True:
            try:
                return self._sock.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._patience.wait_readable(self._sock)


class WatchedSocket:
    """What `http.client.HTTPResponse` needs of a socket."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        raw = _WatchedFile(sock, patience)
        self._file = io.BufferedReader(cast("io.RawIOBase", raw), READ_BYTES)

    def makefile(self, _mode: str) -> io.BufferedIOBase:
        """Give the one file of it."""
        return self._file


class Exchange:
    """One request that the engine is answering."""

    def __init__(
        self, sock: socket.socket, response: http.client.HTTPResponse, done: Callable[[socket.socket], None]
    ) -> None:
        self._sock = sock
        self._response = response
        self._done = done
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
        try:
            return self._response.read1(READ_BYTES)
        except (http.client.HTTPException, OSError) as error:
            raise EngineCut(f"the engine cut the connection in mid-answer ({error!r})") from error

    def close(self, *, answered: bool = False) -> None:
        """Keep the connection where the answer was read to its end; else cut it, which stops the engine.

        `answered`: the last line was read, so that only the end of the body may be missing.
        """
        if answered and not self._complete():
            with contextlib.suppress(EngineCut, ServiceError):
                self._read()
        if self._complete() and not self._response.will_close:
            self._done(self._sock)
        else:
            self._sock.close()
        self._response.close()

    def _complete(self) -> bool:
        return self._response.isclosed() or self._response.length == 0


class Wire:
    """The connections to one engine. Safe to use from many threads."""

    def __init__(self, address: Address, connect_timeout_s: float) -> None:
        self.address = address
        self._timeout_s = connect_timeout_s
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._idle: list[socket.socket] = []
        self._most_idle = MAX_IDLE
        self._lock = threading.Lock()

    def post(self, path: str, body: bytes, patience: Patience, request_id: str = "") -> Exchange:
        """Send a request and return once the engine's status line and headers are there.

        A kept connection that turns out to be dead is replaced by a new one,
        once. Raises `EngineAbsent` where nobody listens, `EngineCut` where the
        connection ended without an answer, and what `patience` raises.
        """
        more = REQUEST_ID.format(request_id) if request_id else ""
        head = HEAD.format(path=self.address.path + path, size=len(body), more=more)
        data = head.encode("ascii") + body
        sock = self._kept()
        if sock is not None:
            try:
                return self._exchange(sock, data, patience)
            except EngineCut:
                self.drop_idle()
        return self._exchange(self._connect(), data, patience)

    def lost(self) -> bool:
        """Say whether the engine has closed the kept connections, as it does when it ends; drops them then.

        One connection is looked at for all: the one that the next request would take.
        """
        with self._lock:
            dead = bool(self._idle) and _readable(self._idle[-1])
        if dead:
            self.drop_idle()
        return dead

    def close(self) -> None:
        """Keep no connection any more. Those in use are closed when their answers end."""
        self._most_idle = 0
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close every idle connection."""
        with self._lock:
            idle, self._idle = self._idle, []
        for sock in idle:
            sock.close()

    def _exchange(self, sock: socket.socket, data: bytes, patience: Patience) -> Exchange:
        file = cast("socket.socket", WatchedSocket(sock, patience))
        response = http.client.HTTPResponse(file, method="POST")
        try:
            self._send(sock, data)
            response.begin()
        except BaseException as error:
            sock.close()
            response.close()  # from Python 3.13 on, one that is left to the collector complains
            if isinstance(error, http.client.HTTPException | OSError):
                raise EngineCut(f"the engine closed the connection without an answer ({error!r})") from error
            raise
        return Exchange(sock, response, self._keep)

    def _send(self, sock: socket.socket, data: bytes) -> None:
        sock.settimeout(self._timeout_s)
        sock.sendall(data)
        sock.settimeout(0)  # reads never block: they wait with patience

    def _connect(self) -> socket.socket:
        try:
            sock = socket.create_connection((self.address.host, self.address.port), self._timeout_s)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock if self._tls is None else self._secured(sock, self._tls)
        except OSError as error:
            url = self.address.url
            raise EngineAbsent(
                f"the engine at {url} does not accept connections ({error}); engine.host says where it is",
                engine=url,
            ) from error

    def _secured(self, sock: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        try:
            return tls.wrap_socket(sock, server_hostname=self.address.host)
        except BaseException:
            sock.close()
            raise

    def _kept(self) -> socket.socket | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                sock = self._idle.pop()
            if not _readable(sock):
                return sock
            sock.close()  # the engine has closed it, or sent what nobody asked for

    def _keep(self, sock: socket.socket) -> None:
        with self._lock:
            if len(self._idle) < self._most_idle:
                self._idle.append(sock)
                return
        sock.close()


def _readable(sock: socket.socket) -> bool:
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))
