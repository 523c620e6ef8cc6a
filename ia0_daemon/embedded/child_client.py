"""Talks HTTP to a child's llama-server: one connection per request, as Ollama has it.

    ask(...)     one JSON answer
    events(...)  the server-sent events of a stream, as they come

Owns the bytes on that wire and the difference between a clean end and a cut.
A cancelled context closes the connection; llama-server stops its work when it
notices, which is when it next writes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.failures import Cancelled


class ChildUnreachable(Exception):
    """The child does not answer: it has ended, or it is stopped."""


class ChildCut(Exception):
    """The child's answer broke off in the middle."""


class ChildRefused(Exception):
    """The child answered with an error status; ``body`` is its JSON text."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body.decode("utf-8", "replace").strip())
        self.status = status
        self.body = body


class ChildClient:
    """The way to one child's port."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)

    def ask(self, context: Context, path: str, value: object = None, timeout: float | None = None) -> Any:
        """POST (or GET without a value) and read the JSON answer."""
        with self._connect(timeout) as connection, context.on_cancel(lambda: _shut(connection)):
            body = b"".join(_Answer(connection, context, _request(path, value)).pieces())
            return msgspec.json.decode(body)

    def events(self, context: Context, path: str, value: object) -> Iterator[bytes]:
        """POST and yield the payload of each ``data:`` line."""
        with self._connect(None) as connection, context.on_cancel(lambda: _shut(connection)):
            rest = b""
            for piece in _Answer(connection, context, _request(path, value)).pieces():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: "):
                        yield line[6:]

    def _connect(self, timeout: float | None) -> socket.socket:
        try:
            connection = socket.create_connection(self._address, timeout=timeout)
        except OSError as error:
            raise ChildUnreachable(str(error)) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _request(path: str, value: object) -> bytes:
    body = b"" if value is None else msgspec.json.encode(value)
    method = "GET" if value is None else "POST"
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Answer:
    """Reads one answer from the wire."""

    def __init__(self, connection: socket.socket, context: Context, request: bytes) -> None:
        self._context = context
        self._file: BinaryIO = connection.makefile("rb")
        try:
            connection.sendall(request)
            self._status = int(self._line().split()[1])
            self._headers = self._read_headers()
        except (OSError, IndexError, ValueError) as error:
            context.check()
            raise ChildUnreachable(str(error) or "EOF") from error
        if self._status >= 400:
            raise ChildRefused(self._status, b"".join(self._body()))

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes; ChildCut when it breaks off, Cancelled when nobody waits."""
        try:
            yield from self._body()
        except OSError as error:
            self._context.check()
            raise ChildCut(str(error)) from error
        except (ValueError, EOFError) as error:
            if self._context.cancelled:
                raise Cancelled from error
            raise ChildCut("unexpected EOF") from error

    def _body(self) -> Iterator[bytes]:
        if "chunked" in self._headers.get("transfer-encoding", ""):
            yield from self._chunks()
        else:
            yield self._exactly(int(self._headers.get("content-length", "0")))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().partition(b";")[0], 16):
            yield self._exactly(size)
            self._line()
        self._line()

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _line(self) -> bytes:
        return self._file.readline(65536).strip()

    def _read_headers(self) -> dict[str, str]:
        headers = {}
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip().lower()
        return headers
