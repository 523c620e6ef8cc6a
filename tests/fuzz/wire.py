"""Sends shots over a socket and reads what comes, within a bound.

Owns one connection and the reading of answers. Never judges one.

    shot -> bytes out -> answers, and how it ended: answered, closed, hung
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

# A shared machine of two cores may be slow; what takes longer than this hangs, in seconds. Less than the
# minute after which the daemon itself ends a request that does not come to its end.
BOUND_S = 45.0
# How long to wait for an answer that need not come before the connection is half closed, in seconds.
PATIENCE_S = 0.03
# And for one more behind it.
AFTERWARDS_S = 0.005

End = Literal["answered", "closed", "hung"]


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Its Content-Type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass
class Outcome:
    """What came of a shot."""

    answers: list[Answer] = field(default_factory=list)
    end: End = "answered"
    trouble: str = ""
    """What could not be read as HTTP."""


class Closed(Exception):
    """The daemon closed the connection."""


class Late(Exception):
    """Nothing came in time."""


class Unread(Exception):
    """What came is no HTTP."""


class Wire:
    """A connection that is opened anew where the last shot spoiled it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sock: socket.socket | None = None
        self._rest = b""

    def close(self) -> None:
        """Hang up."""
        if self._sock is not None:
            self._sock.close()
        self._sock, self._rest = None, b""

    def fire(self, data: bytes, answers: int, *, has_body: bool, is_clean: bool) -> Outcome:
        """Send, and read the answers that are due; or, where none is due, what comes until it is closed."""
        if not is_clean:
            self.close()
        outcome = Outcome()
        try:
            self._send(data)
            self._read(outcome, answers, has_body=has_body)
        except (Closed, ConnectionError):
            outcome.end = "closed"
        except (Late, TimeoutError):
            outcome.end = "hung"
        except Unread as error:
            outcome.trouble = str(error)
        if outcome.end != "answered" or outcome.trouble or not is_clean or _says_close(outcome):
            self.close()
        return outcome

    def _send(self, data: bytes) -> None:
        if self._sock is None:
            self._sock = socket.create_connection(("127.0.0.1", self._port), timeout=BOUND_S)
        self._sock.settimeout(BOUND_S)
        # Where it is refused in the middle, what was said about it is there to be read.
        with suppress(ConnectionError):
            self._sock.sendall(data)

    def _read(self, outcome: Outcome, due: int, *, has_body: bool) -> None:
        until = time.monotonic() + BOUND_S
        while len(outcome.answers) < due:
            outcome.answers.append(self._answer(until, has_body=has_body))
            if due > 1 and _says_close(outcome):
                return
        if due == 0:
            self._read_open_end(outcome, until)

    def _read_open_end(self, outcome: Outcome, until: float) -> None:
        """Read what comes; then say that nothing more will be sent, and see the connection closed."""
        try:
            while True:
                patience_s = AFTERWARDS_S if outcome.answers else PATIENCE_S
                outcome.answers.append(self._answer(time.monotonic() + patience_s, has_body=True))
        except Late:
            if self._rest:  # a large answer was on its way
                outcome.answers.append(self._answer(until, has_body=True))
        assert self._sock is not None
        # Where the daemon has just reset it, nothing is left to close; what came before that is still read.
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        while True:
            outcome.answers.append(self._answer(until, has_body=True))

    def _answer(self, until: float, *, has_body: bool) -> Answer:
        while b"\r\n\r\n" not in self._rest:
            self._more(until)
        head, _, rest = self._rest.partition(b"\r\n\r\n")
        status, headers = _head(head)
        if status == 100:
            self._rest = rest
            return self._answer(until, has_body=has_body)
        if not has_body or status in (204, 304):
            self._rest = rest
            return Answer(status, headers, b"")
        return Answer(status, headers, self._body(head, headers, until))

    def _body(self, head: bytes, headers: dict[str, str], until: float) -> bytes:
        """Read a body; until it is whole, all of the answer stays where a second look finds it."""
        start = len(head) + 4
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while (end := _chunks_end(self._rest, start)) is None:
                self._more(until)
        elif "content-length" in headers:
            end = start + int(headers["content-length"])
            while len(self._rest) < end:
                self._more(until)
        else:
            end = self._to_the_close(until)
        body, self._rest = self._rest[start:end], self._rest[end:]
        return body

    def _to_the_close(self, until: float) -> int:
        try:
            while True:
                self._more(until)
        except Closed:
            return len(self._rest)

    def _more(self, until: float) -> None:
        assert self._sock is not None
        left = until - time.monotonic()
        if left <= 0:
            raise Late
        self._sock.settimeout(left)
        try:
            data = self._sock.recv(65536)
        except TimeoutError:
            raise Late from None
        if not data:
            raise Closed
        self._rest += data


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise Unread(f"no status line: {first[:200]!r}")
    pairs = (line.partition(":") for line in lines)
    return int(parts[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _chunks_end(data: bytes, at: int) -> int | None:
    """Give where a chunked body ends; none where it is not all there yet."""
    while (line_end := data.find(b"\r\n", at)) != -1:
        size = int(data[at:line_end].partition(b";")[0], 16)
        at = line_end + 2 + size + 2
        if size == 0:
            return at if len(data) >= at else None
        if len(data) < at:
            return None
    return None


def _says_close(outcome: Outcome) -> bool:
    return bool(outcome.answers) and outcome.answers[-1].headers.get("connection", "").lower() == "close"
