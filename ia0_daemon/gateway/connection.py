"""A caller's connection: refusals in the API's shape, bytes written at once, and bounds on patience.

Owns what a connection may do and how long it may take. Never accepts one, and
never decides about a request that can be read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import ErrorTask, WSGITask

from ia0_daemon.errors import InternalError, InvalidRequest, PayloadTooLarge, ServiceError
from ia0_daemon.gateway.parser import Parser
from ia0_daemon.gateway.respond import encode

if TYPE_CHECKING:
    from collections.abc import Callable

# How long a connection may be kept without a request, and how long an answer may wait for a caller that takes
# none of it, in seconds. Proxies and HTTP clients keep connections for 60 to 90 s.
IDLE_S = 120.0
# How long a caller may take for an answer that is complete, in seconds: 10 kB/s for an answer of 6 MB.
TAKING_S = 600.0


@dataclass
class Pace:
    """Since when a connection is in the state that it is in. Of the loop's thread; `look` once a second."""

    reading: object = None
    """The request that is arriving."""
    reading_since: float = 0.0
    sent_at: float = -1.0
    """When the last bytes went out, by the connection's own clock, while more wait."""
    stuck_since: float = 0.0
    taking_since: float = -1.0
    """When nothing was left to do but to hand the answer over."""

    def look(self, channel: Any, now: float) -> None:
        """Take note of what has moved since the last look."""
        if channel.request is not self.reading or not channel.readable() or channel.requests:
            self.reading, self.reading_since = channel.request, now
        if not channel.total_outbufs_len or channel.last_activity != self.sent_at:
            self.sent_at, self.stuck_since = channel.last_activity, now
        if not channel.total_outbufs_len or channel.requests or self.taking_since < 0:
            self.taking_since = now

    def is_too_slow_to_send(self, now: float, request_s: float) -> bool:
        """Whether a request has been arriving for too long."""
        return self.reading is not None and now - self.reading_since >= request_s

    def is_too_slow_to_read(self, now: float) -> bool:
        """Whether an answer has been waiting for its caller for too long."""
        return now - self.stuck_since >= IDLE_S or now - self.taking_since >= TAKING_S


class JsonErrorTask(ErrorTask):
    """What waitress refuses, in the one shape of errors."""

    def execute(self) -> None:
        """Write the refusal and close the connection: the rest of the request cannot be read."""
        error = self._error()
        body = encode(error.body())
        self.status = f"{error.status} {error.code}"
        self.response_headers = [("Content-Type", "application/json"), *error.headers().items()]
        self.set_close_on_finish()
        self.content_length = len(body)
        server: Any = self.channel.server
        server.refused(error)
        self.write(body)

    def _error(self) -> ServiceError:
        request: Any = self.request  # its parser sets `error`; the type stubs do not say so
        refusal = request.error
        if refusal.code >= 500 and refusal.code != 501:
            return InternalError()
        if refusal.code == 413:
            limit = self.channel.server.adj.max_request_body_size - 1
            return PayloadTooLarge(
                f"the body is larger than server.max_body_bytes allows, which is {limit} bytes",
                limit=limit,
                setting="server.max_body_bytes",
            )
        return InvalidRequest(
            f"this is no HTTP request that can be read: {refusal.body}", reason=refusal.reason
        )


class Task(WSGITask):
    """A request; while the listener ends, its connection ends with it."""

    def build_response_header(self) -> bytes:
        """Say `Connection: close` where the next request could not be answered any more."""
        server: Any = self.channel.server
        if server.ending:
            self.set_close_on_finish()
        return super().build_response_header()

    def set_close_on_finish(self) -> None:
        """Close the connection after this answer, but not for its chunks' sake alone, as waitress would."""
        if not self.chunked_response or self.close_on_finish:
            super().set_close_on_finish()

    def write(self, data: bytes) -> None:
        """Write a piece of the body; the head goes out with the first one, in one packet."""
        if self.wrote_header or not data:
            super().write(data)
            return
        channel: Any = self.channel
        with channel.in_one_piece():
            super().write(data)


class _OnePiece:
    """What is written within goes out joined."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel

    def __enter__(self) -> None:
        self._channel.gathered = []

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        pieces, self._channel.gathered = self._channel.gathered, None
        if kind is None and pieces:
            self._channel.write_soon(b"".join(pieces))


class Connection(HTTPChannel):
    """A connection. Its worker thread writes to the socket itself as long as the caller takes all."""

    parser_class = Parser
    task_class = Task
    error_task_class = JsonErrorTask
    interest = 0
    """What it is watched for; see `event_loop.Watched`."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.pace = Pace()
        self.gathered: list[bytes] | None = None
        super().__init__(*args, **named)

    def service(self) -> None:
        """Answer a request, on a worker thread."""
        server: Any = self.server
        server.loop.serving(self)
        try:
            super().service()
        finally:
            server.loop.serving(None)

    def in_one_piece(self) -> _OnePiece:
        """Give a block in which all that is written is gathered, and sent at its end."""
        return _OnePiece(self)

    def write_soon(self, data: Any) -> int:
        """Send now what the socket takes and keep the rest for the loop. Gives the number of bytes."""
        if self.gathered is not None:
            self.gathered.append(data)
            return len(data)
        if not isinstance(data, bytes):  # a file
            return int(super().write_soon(data))
        sent = self._send_now(data)
        return sent if sent == len(data) else sent + int(super().write_soon(data[sent:]))

    def _send_now(self, data: bytes) -> int:
        """Send without a copy where nothing waits already. `write_soon` meets a fault again, and tells it."""
        with self.outbuf_lock:
            if not self.connected:
                raise ClientDisconnected
            if self.total_outbufs_len:
                return 0
            try:
                sock: Any = self.socket  # there as long as it is connected
                sent = int(sock.send(data))
            except OSError:
                return 0
            self.last_activity = time.time()  # waitress' clock
            return sent

    def end_overdue(self, now: float, request_s: float, too_slow: Callable[[Connection], None]) -> None:
        """End it where its time is up; who is too slow to send is told. For the loop's thread."""
        self.pace.look(self, now)
        if self.pace.is_too_slow_to_send(now, request_s):
            too_slow(self)
        elif self.pace.is_too_slow_to_read(now) or (
            not self.requests and self.request is None and time.time() - self.last_activity >= IDLE_S
        ):
            self.handle_close()
