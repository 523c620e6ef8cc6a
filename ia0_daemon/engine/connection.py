"""One connection to the engine: bytes out, bytes in, and a look whether it is still there.

Owns a socket. Never knows what the bytes mean; every wait for them is the
patience's affair.

    connect(address) -> send(bytes) -> receive(patience) ... -> close()

Each call that waits gives the interpreter's lock away and must get it back from
all other requests. So a plain connection waits in `recv` itself, which the
kernel ends when it is time to look around (SO_RCVTIMEO); polling first would
cost that twice. TLS has bytes of its own that the kernel does not see, so there
it is tried first and polled then.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING, Protocol

from ia0_daemon.errors import EngineAbsent

if TYPE_CHECKING:
    from ia0_daemon.engine.patience import Patience
    from ia0_daemon.settings.engine_address import Address

# One read takes what is there, up to this many bytes: a burst of tokens costs one wake-up.
READ_BYTES = 64 * 1024


class Connection(Protocol):
    """A connection, plain or secured."""

    fresh_at: float
    """When it was last seen alive, in monotonic seconds."""

    def send(self, data: bytes) -> None:
        """Send all of it. Raises `OSError`."""

    def receive(self, patience: Patience) -> bytes:
        """Give what comes next; nothing at its end. Raises `OSError` and what `patience` raises."""

    def is_quiet(self) -> bool:
        """Say whether it is open and nothing has come that nobody asked for."""

    def close(self) -> None:
        """Close it, which stops the engine's work on a request."""


def connect(address: Address, timeout_s: float, tls: ssl.SSLContext | None) -> Connection:
    """Connect to an engine. Raises `EngineAbsent`."""
    try:
        sock = socket.create_connection((address.host, address.port), timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return (
            PlainConnection(sock, timeout_s) if tls is None else _secured(sock, address.host, timeout_s, tls)
        )
    except OSError as error:
        url = address.url
        raise EngineAbsent(
            f"the engine at {url} does not accept connections ({error}); engine.host says where it is",
            engine=url,
        ) from error


def _secured(sock: socket.socket, host: str, timeout_s: float, tls: ssl.SSLContext) -> Connection:
    try:
        return SecuredConnection(tls.wrap_socket(sock, server_hostname=host), timeout_s)
    except BaseException:
        sock.close()
        raise


class PlainConnection:
    """A TCP connection in blocking mode, whose waits the kernel bounds."""

    __slots__ = ("_bound_s", "_sock", "fresh_at")

    def __init__(self, sock: socket.socket, send_timeout_s: float) -> None:
        self._sock = sock
        self._bound_s = 0.0
        self.fresh_at = time.monotonic()
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(send_timeout_s))

    def send(self, data: bytes) -> None:
        """Send all of it. Raises `OSError`, also where it takes longer than was said at the start."""
        self._sock.sendall(data)

    def receive(self, patience: Patience) -> bytes:
        """Give what comes next; nothing at its end."""
        return patience.wait(self._read)

    def is_quiet(self) -> bool:
        """Say whether it is open and nothing has come that nobody asked for."""
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.fresh_at = time.monotonic()
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def _read(self, seconds: float) -> bytes:
        if seconds != self._bound_s:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))
            self._bound_s = seconds
        return self._sock.recv(READ_BYTES)


class SecuredConnection:
    """A TLS connection. Reads never block: they wait with patience."""

    __slots__ = ("_poller", "_sock", "_timeout_s", "fresh_at")

    def __init__(self, sock: ssl.SSLSocket, send_timeout_s: float) -> None:
        self._sock = sock
        self._timeout_s = send_timeout_s
        self._poller = select.poll()
        self._poller.register(sock, select.POLLIN)
        self.fresh_at = time.monotonic()

    def send(self, data: bytes) -> None:
        """Send all of it. Raises `OSError`."""
        self._sock.settimeout(self._timeout_s)
        self._sock.sendall(data)
        self._sock.settimeout(0)

    def receive(self, patience: Patience) -> bytes:
        """Give what comes next; nothing at its end."""
        return patience.wait(self._read)

    def is_quiet(self) -> bool:
        """Say whether it is open and nothing has come that nobody asked for."""
        if self._poller.poll(0):
            return False
        self.fresh_at = time.monotonic()
        return True

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def _read(self, seconds: float) -> bytes:
        return read_within(self._sock, self._poller, READ_BYTES, seconds)


def read_within(sock: socket.socket, poller: select.poll, size: int, seconds: float) -> bytes:
    """Read from a socket that does not block. Raises `BlockingIOError` where nothing comes in time."""
    try:
        return sock.recv(size)
    except (BlockingIOError, ssl.SSLWantReadError):
        poller.poll(seconds * 1000)
    try:
        return sock.recv(size)
    except ssl.SSLWantReadError as error:
        raise BlockingIOError from error


def _timeval(seconds: float) -> bytes:
    """Write a time as the kernel takes it."""
    whole = int(seconds)
    return struct.pack("@ll", whole, int((seconds - whole) * 1e6))
