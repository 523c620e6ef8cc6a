"""A small HTTP client for talking to an engine as it is, without a library's kindness.

    Client(url).send(...)  -> Answer   one whole answer
    Client(url).open(...)  -> Stream   lines as they come; hang_up() closes the socket at once

Owns bytes on the wire. Never judges an answer and never repeats a request.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

# Generous: a large model on a slow disk loads within this, and nothing in the suite waits for its end.
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Answer:
    """A whole answer: its status, its headers in lower case, its bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def lines(self) -> list[dict[str, Any]]:
        """The body as newline-delimited JSON."""
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]

    def error(self) -> str:
        """The error's text, after holding that the body is {"error": text} and nothing else."""
        parsed = self.json()
        assert list(parsed) == ["error"], f"an error's body is {{error}} alone, this one is {parsed}"
        assert isinstance(parsed["error"], str)
        return parsed["error"]


class Stream:
    """An answer that is still coming."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._connection = connection
        self._response = response

    def lines(self) -> Iterator[dict[str, Any]]:
        """Each line as it comes; ends where the stream ends, cleanly or not."""
        while True:
            try:
                line = self._response.readline()
            except (http.client.HTTPException, OSError):
                return
            if not line:
                return
            if line.strip():
                yield json.loads(line)

    def take(self, count: int) -> list[dict[str, Any]]:
        """The next lines, this many."""
        return [line for line, _ in zip(self.lines(), range(count), strict=False)]

    def hang_up(self) -> None:
        """Leave at once."""
        self._response.close()
        self._connection.close()


@dataclass
class Client:
    """Sends requests to one engine, each on a connection of its own."""

    url: str
    timeout_s: float = TIMEOUT_S
    host: str = field(init=False)
    port: int = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 11434

    def send(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send and read the whole answer."""
        connection, response = self._ask(method, path, body, headers)
        try:
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            response.close()
            connection.close()

    def get(self, path: str) -> Any:
        """GET, which must be 200, as JSON."""
        answer = self.send("GET", path)
        assert answer.status == 200, answer
        return answer.json()

    def post(self, path: str, body: Any) -> Answer:
        """POST this as JSON, with stream:false where it does not say otherwise."""
        return self.send("POST", path, {"stream": False, **body})

    @contextmanager
    def open(self, path: str, body: Any) -> Iterator[Stream]:
        """POST and read the answer as it comes; the connection is closed at the end, whatever is left."""
        connection, response = self._ask("POST", path, body, None)
        stream = Stream(connection, response)
        try:
            yield stream
        finally:
            stream.hang_up()

    @contextmanager
    def ask_and_leave(self, path: str, body: Any) -> Iterator[None]:
        """POST without reading the answer, and hang up at the end of the block."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        try:
            connection.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})
            yield
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.host, self.port), timeout=self.timeout_s)

    def _ask(
        self, method: str, path: str, body: Any, headers: Mapping[str, str] | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise
