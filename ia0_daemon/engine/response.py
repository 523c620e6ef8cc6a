"""A response of the engine as its bytes come: status, body, and whether it is complete.

Owns the parsing, which is llhttp's (`httptools`). Pure: bytes in, body out; it
never touches a socket.

    feed(bytes) ... -> status, take() -> bytes;   end() where the connection ended

The body's parts of one read are handed out in one piece: 31 lines that came
together cost one step of everything above, not 31.
"""

from __future__ import annotations

import httptools

# Most bytes of status line and headers; http.client allows as much for one line.
MOST_HEAD_BYTES = 64 * 1024


class BrokenResponse(Exception):
    """What came is no response, or not all of one."""


class Response:
    """One response; a new one for each request. Call `close` in the end: it frees the parser at once."""

    __slots__ = ("_fault", "_parser", "_sink", "status")

    def __init__(self) -> None:
        self._sink = _Sink()
        self._parser = httptools.HttpResponseParser(self._sink)
        self._sink.parser = self._parser
        self._fault: BrokenResponse | None = None
        self.status = 0
        """Known once `begun`."""

    @property
    def begun(self) -> bool:
        """Whether the status line and all headers are there."""
        return self.status != 0

    @property
    def complete(self) -> bool:
        """Whether the whole body has come."""
        return self._sink.complete

    @property
    def keeps_open(self) -> bool:
        """Whether the connection may bear another request."""
        return self._sink.complete and not self._sink.excess and self._sink.kept

    def feed(self, data: bytes) -> None:
        """Take what came.

        Raises `BrokenResponse`; where a part of the body came with what is
        broken, that part is handed out first, and the next call raises.
        """
        if self._fault is not None:
            raise self._fault
        try:
            self._parser.feed_data(data)
            self._sink.count(len(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break(error)
        if self._sink.headed:
            self.status = self._sink.status

    def end(self) -> None:
        """Take that the connection ended. Raises `BrokenResponse` where more was to come."""
        if self._fault is not None:
            raise self._fault
        if not self._sink.end():
            raise BrokenResponse("the connection ended in the middle of the response")

    def take(self) -> bytes:
        """Give the body's bytes that have come since the last call."""
        parts = self._sink.parts
        if not parts:
            return b""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        return data

    def close(self) -> None:
        """Forget the parser, which refers to what refers to it."""
        self._sink.parser = None

    def _break(self, error: Exception) -> None:
        """Raise, or remember where there is something to hand out."""
        if self._sink.complete:
            self._sink.excess = True  # the response is whole; only the connection is of no use any more
            return
        fault = BrokenResponse(f"{type(error).__name__}: {error.__context__ or error}")
        fault.__cause__ = error
        if not self._sink.parts:
            raise fault
        self._fault = fault


class _Sink:
    """What llhttp calls; the names are `httptools`'."""

    __slots__ = (
        "_head_bytes", "complete", "excess", "headed", "kept", "on_body", "parser", "parts", "sized",
        "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self.parser: httptools.HttpResponseParser | None = None
        self.parts: list[bytes] = []
        self.on_body = self.parts.append
        self.headed = self.complete = self.excess = self.sized = self.kept = False
        self.status = self._head_bytes = 0

    def on_message_begin(self) -> None:
        self.excess = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-length" or (name == b"transfer-encoding" and value.lower().endswith(b"chunked")):
            self.sized = True

    def on_headers_complete(self) -> None:
        if self.parser is not None and not self.complete:
            self.status = self.parser.get_status_code()
            self.headed = self.status >= 200  # before it come "100 Continue" and the like

    def on_message_complete(self) -> None:
        if self.parser is not None and self.headed and not self.complete:
            self.complete = True
            self.kept = self.parser.should_keep_alive()

    def count(self, size: int) -> None:
        """Bound what comes before the body. Raises `HttpParserError`."""
        if not self.headed:
            self._head_bytes += size
            if self._head_bytes > MOST_HEAD_BYTES:
                raise httptools.HttpParserError(f"more than {MOST_HEAD_BYTES} bytes of headers")

    def end(self) -> bool:
        """Say whether the response may end here: one without a length ends with its connection."""
        if self.headed and not self.complete and not self.sized:
            self.complete = True
        return self.complete
