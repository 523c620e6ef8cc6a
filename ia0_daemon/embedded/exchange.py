"""One request and its answer on a connection.

Owns how bodies are read (plain or chunked) and how answers are written: JSON
objects, text, and streams of lines of which each is sent at once. Never knows
what a route does. A caller who has gone is Cancelled.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email.message import Message
from email.utils import formatdate
from http import HTTPStatus
from http.client import responses
from io import BufferedIOBase

import msgspec

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.failures import Cancelled, bad_request

_JSON = "application/json; charset=utf-8"
_LINES = "application/x-ndjson"
_PIECE = 1 << 16


class Exchange:
    """A request that has been read up to its body, and the way to answer it."""

    def __init__(
        self,
        connection: socket.socket,
        reader: BufferedIOBase,
        method: str,
        path: str,
        headers: Message,
        *,
        keep_open: bool,
        chunks_allowed: bool,
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.context = Context(headers.get("X-Request-ID", ""))
        self.keep_open = keep_open
        self.status = 0
        self._connection = connection
        self._reader = reader
        self._chunks_allowed = chunks_allowed
        self._body = self._body_pieces()

    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self._body)

    def body_pieces(self) -> Iterator[bytes]:
        """The body in pieces, so that a large upload never lies in memory whole."""
        return self._body

    def finish_body(self) -> None:
        """Read what the handler has left, so that the next request begins at its beginning."""
        for _ in self._body:
            pass

    def _body_pieces(self) -> Iterator[bytes]:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            yield from self._chunks()
            return
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit():
            raise bad_request("bad Content-Length")
        yield from self._exactly(int(length))

    def _chunks(self) -> Iterator[bytes]:
        while True:
            size = int(self._reader.readline(64).partition(b";")[0].strip() or b"0", 16)
            yield from self._exactly(size)
            self._reader.readline(64)
            if size == 0:
                return

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length > 0:
            piece = self._reader.read(min(length, _PIECE))
            if not piece:
                raise Cancelled
            length -= len(piece)
            yield piece

    def send_json(self, status: int, value: object) -> None:
        """Answer with one JSON object."""
        self.send(status, _JSON, msgspec.json.encode(value))

    def send_error(self, status: int, text: str) -> None:
        """Answer with ``{"error": text}``; after the first line of a stream this is one more line."""
        if self.status:
            self.send_line({"error": text})
            return
        self.send_json(status, {"error": text})

    def send_text(self, status: int, text: str) -> None:
        """Answer with plain text."""
        self.send(status, "text/plain; charset=utf-8", text.encode())

    def send(self, status: int, content_type: str, body: bytes) -> None:
        """Answer with these bytes; a HEAD request gets the headers alone."""
        lines = [f"Content-Length: {len(body)}"]
        if content_type and body:
            lines.insert(0, f"Content-Type: {content_type}")
        head = self._head(status, lines)
        self._write(head if self.method == "HEAD" else head + body)

    def send_line(self, value: object) -> None:
        """Send one line of a stream, at once; the first one opens the stream."""
        line = msgspec.json.encode(value) + b"\n"
        head = b"" if self.status else self._stream_head()
        chunk = b"%x\r\n%b\r\n" % (len(line), line) if self._chunks_allowed else line
        self._write(head + chunk)

    def end_stream(self) -> None:
        """End the stream; one without any line is an empty 200."""
        head = b"" if self.status else self._stream_head()
        self._write(head + (b"0\r\n\r\n" if self._chunks_allowed else b""))

    def _stream_head(self) -> bytes:
        if self._chunks_allowed:
            return self._head(HTTPStatus.OK, [f"Content-Type: {_LINES}", "Transfer-Encoding: chunked"])
        self.keep_open = False
        return self._head(HTTPStatus.OK, [f"Content-Type: {_LINES}"])

    def _head(self, status: int, lines: list[str]) -> bytes:
        self.status = status
        lines = [f"HTTP/1.1 {status} {responses.get(status, '')}", *lines, f"Date: {formatdate(usegmt=True)}"]
        lines += [] if self.keep_open else ["Connection: close"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _write(self, data: bytes) -> None:
        try:
            self._connection.sendall(data)
        except OSError as error:
            self.context.cancel()
            raise Cancelled from error
