"""Requests that are handed to the engine as they came, and its answers as they come back.

Owns a connection for each: these are rare. Bodies pass in pieces, both ways, so that
a model of many gigabytes needs no more memory than a small one. Never knows what a
request means.

    Relay.ask(method, path, patience, body) -> Relayed -> pieces() ... -> close()

Not `requests`, which `control.py` uses: a pull is silent for minutes while it
verifies, and who hangs up then must be noticed. Every wait goes through `Patience`.
"""

from __future__ import annotations

import http.client
import math
import ssl
from typing import TYPE_CHECKING, cast

from ia0_daemon.engine.connection import READ_BYTES
from ia0_daemon.engine.watched_file import WatchedSocket
from ia0_daemon.errors import EngineAbsent, EngineInterrupted

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from ia0_daemon.engine.patience import Patience
    from ia0_daemon.settings.engine_address import Address

# How long the engine may take to accept a piece of a body, in seconds: it writes it to a disk.
SEND_S = 60.0
# An error's text is a line; what is longer is none.
MOST_ERROR_BYTES = 64 * 1024


class Relayed:
    """An answer under way. Close it: where it is not complete, that ends the engine's work on it."""

    def __init__(
        self, connection: http.client.HTTPConnection, sock: socket.socket, response: http.client.HTTPResponse
    ) -> None:
        self._connection, self._sock, self._response = connection, sock, response
        self.status = response.status
        self.kind = response.getheader("Content-Type") or ""
        length = response.getheader("Content-Length") or ""
        self.size = int(length) if length.isdecimal() else None
        """The body's bytes, where the engine has said how many they are."""

    def pieces(self) -> Iterator[bytes]:
        """Give the body as it comes. Raises `EngineInterrupted`, and what the patience raises."""
        while data := self._read():
            yield data

    def text(self) -> bytes:
        """Give the body at once, as far as an error's may go."""
        found = b""
        while len(found) < MOST_ERROR_BYTES and (data := self._read()):
            found += data
        return found

    def whole(self) -> bytes:
        """Give the body at once."""
        return b"".join(self.pieces())

    def close(self) -> None:
        """Close the connection."""
        self._response.close()
        self._sock.close()
        self._connection.close()

    def _read(self) -> bytes:
        try:
            return self._response.read1(READ_BYTES)
        except (http.client.HTTPException, OSError) as error:
            raise EngineInterrupted(f"the engine cut the connection in mid-answer ({error!r})") from error


class Relay:
    """The way to one engine. No proxy of the environment stands on it."""

    def __init__(self, address: Address, connect_timeout_s: float) -> None:
        self._address = address
        self._timeout_s = float(connect_timeout_s)

    def ask(
        self,
        method: str,
        path: str,
        patience: Patience,
        *,
        body: Iterator[bytes] | bytes = b"",
        size: int | None = None,
        timeout_s: float = math.inf,
    ) -> Relayed:
        """Hand a request over, and return once status and headers of the answer are there.

        `size`: the bytes of a body that comes in pieces. `timeout_s` bounds each silence of the
        engine. Raises `EngineAbsent`, `EngineInterrupted` and what the patience raises.
        """
        patience.bound("question", timeout_s, "engine.control_timeout_s")
        connection = self._connect()
        sock = connection.sock
        try:
            self._send(connection, method, path, body, size)
            sock.settimeout(0)  # reads never block: they wait with patience
            file = cast("socket.socket", WatchedSocket(sock, patience))
            response = http.client.HTTPResponse(file, method=method)
            return self._begun(connection, sock, response)
        except BaseException:
            sock.close()
            connection.close()
            raise

    def _begun(
        self, connection: http.client.HTTPConnection, sock: socket.socket, response: http.client.HTTPResponse
    ) -> Relayed:
        try:
            response.begin()
        except BaseException as error:
            response.close()
            if isinstance(error, http.client.HTTPException | OSError):
                raise EngineInterrupted(
                    f"the engine closed the connection without an answer ({error!r})"
                ) from error
            raise
        return Relayed(connection, sock, response)

    def _connect(self) -> http.client.HTTPConnection:
        address = self._address
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            tls = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                address.host, address.port, timeout=self._timeout_s, context=tls
            )
        else:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=self._timeout_s)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise EngineAbsent(
                f"the engine at {address.url} does not accept connections ({error}); "
                "engine.host says where it is",
                engine=address.url,
            ) from error
        return connection

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Iterator[bytes] | bytes,
        size: int | None,
    ) -> None:
        """Send it all; an engine that answers before it has all has said why, so its answer is read."""
        headers = {"Host": "localhost", "Content-Type": "application/json", "Connection": "close"}
        if size is not None:
            headers["Content-Length"] = str(size)
        connection.sock.settimeout(SEND_S)
        try:
            connection.request(method, self._address.path + path, body or None, headers)
        except TimeoutError as error:
            raise EngineInterrupted(f"the engine took nothing more for {SEND_S:g} s") from error
        except OSError:
            return
