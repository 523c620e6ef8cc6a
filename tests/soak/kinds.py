"""The kinds of requests of the soak test: what is sent, and the one outcome that is meant.

KINDS: name -> Kind(share, code, play);   play(Caller) raises AssertionError where the outcome is another
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.soak.engine import TEXT

TIMEOUT_S = 60
ROUTE = "/llm/generate"
HEAD = f"POST {ROUTE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()


@dataclass
class Caller:
    """One client: a kept connection, and where it learns that a prompt has reached the engine."""

    port: int
    arrived: Mapping[str, threading.Event]
    connection: http.client.HTTPConnection
    number: str = ""

    def prompt(self, word: str) -> str:
        return f"{word} {self.number}"

    def ask(
        self, body: object, *, method: str = "POST", path: str = ROUTE, kind: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        """Ask on the kept connection; status and object."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, path, raw, {"Content-Type": kind})
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def stream(self, word: str, accept: str = "") -> http.client.HTTPResponse:
        """Ask for a stream, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Connection": "close", "Accept": accept}
        body = json.dumps({"prompt": self.prompt(word), "stream": True})
        connection.request("POST", ROUTE, body, headers)
        return connection.getresponse()


Play = Callable[[Caller], None]


@dataclass(frozen=True)
class Kind:
    """One kind: its share of the mix, the code under which the daemon must count it, and how it is played."""

    share: int
    code: str
    play: Play


def _answer(caller: Caller) -> None:
    status, body = caller.ask({"prompt": caller.prompt("answer"), "model": "qwen2-7b"})
    assert (status, body["text"], body["tokens_used"]) == (200, TEXT, 10), body


def _lines(caller: Caller) -> None:
    with caller.stream("answer") as response:
        lines = [json.loads(line) for line in response]
    assert "".join(line["text"] for line in lines) == TEXT, lines
    assert lines[-1]["finish_reason"] == "stop", lines


def _events(caller: Caller) -> None:
    with caller.stream("answer", "text/event-stream") as response:
        events = [json.loads(line.removeprefix(b"data: ")) for line in response if line.strip()]
    assert "".join(event["text"] for event in events) == TEXT, events


def _refused(status: int, code: str, body: Callable[[Caller], object], **how: str) -> Play:
    def play(caller: Caller) -> None:
        got, said = caller.ask(body(caller), **how)
        assert (got, said["code"]) == (status, code), said

    return play


def _failed(word: str, status: int, code: str) -> Kind:
    """An error of the engine before the first token."""
    return Kind(2, code, _refused(status, code, lambda caller: {"prompt": caller.prompt(word)}))


def _broken_off(word: str) -> Play:
    def play(caller: Caller) -> None:
        with caller.stream(word) as response:
            lines = [json.loads(line) for line in response]
        assert (lines[0]["text"], lines[-1]["code"]) == ("one", "ENGINE_ERROR"), lines

    return play


def _leave_early(caller: Caller) -> None:
    raw = json.dumps({"prompt": caller.prompt("silent")}).encode()
    with socket.create_connection(("127.0.0.1", caller.port), TIMEOUT_S) as sock:
        sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(raw) + raw)
        assert caller.arrived[caller.number].wait(TIMEOUT_S), "the prompt never reached the engine"


def _leave_in_mid_stream(caller: Caller) -> None:
    with caller.stream("stalled") as response:
        assert [json.loads(response.readline())["text"] for _ in range(3)] == ["word0 ", "word1 ", "word2 "]


KINDS = {
    "answer": Kind(30, "OK", _answer),
    "stream of lines": Kind(20, "OK", _lines),
    "stream of events": Kind(10, "OK", _events),
    "invalid": Kind(4, "INVALID_REQUEST", _refused(400, "INVALID_REQUEST", lambda _: {"prompt": ""})),
    "no JSON": Kind(2, "INVALID_REQUEST", _refused(400, "INVALID_REQUEST", lambda _: b"{'prompt'")),
    "unknown model": Kind(
        2,
        "MODEL_NOT_FOUND",
        _refused(404, "MODEL_NOT_FOUND", lambda caller: {"prompt": "x", "model": f"m{caller.number}"}),
    ),
    "unknown path": Kind(2, "NOT_FOUND", _refused(404, "NOT_FOUND", lambda _: b"", path="/nothing")),
    "wrong method": Kind(
        2, "METHOD_NOT_ALLOWED", _refused(405, "METHOD_NOT_ALLOWED", lambda _: b"", method="PUT")
    ),
    "wrong type": Kind(
        2,
        "UNSUPPORTED_MEDIA_TYPE",
        _refused(415, "UNSUPPORTED_MEDIA_TYPE", lambda _: b"x", kind="text/plain"),
    ),
    "engine fails": _failed("broken", 502, "ENGINE_ERROR"),
    "engine is full": _failed("full", 503, "OVERLOADED"),
    "engine lacks the model": _failed("missing", 503, "MODEL_UNAVAILABLE"),
    "prompt too long": _failed("long", 400, "CONTEXT_LENGTH_EXCEEDED"),
    "stream without done": Kind(2, "ENGINE_ERROR", _broken_off("dirty")),
    "stream with an error line": Kind(2, "ENGINE_ERROR", _broken_off("line")),
    "stream that is cut": Kind(2, "ENGINE_ERROR", _broken_off("cut")),
    "hang-up before the first token": Kind(5, "CALLER_GONE", _leave_early),
    "hang-up in mid-stream": Kind(5, "CALLER_GONE", _leave_in_mid_stream),
}
