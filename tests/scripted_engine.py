"""An engine whose every move is scripted, for faults and timings that a real one does not produce on demand.

It answers `/api/version`, `/api/tags` and `/api/ps` as Ollama does, and plays the next script for each
`POST /api/chat`, `/api/generate` or `/api/embed` (the last one again and again). A script is a list of steps.
"""

from __future__ import annotations

import hashlib
import json
import queue
import select
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Step = Callable[["Reply"], None]

TAG = "smollm2:135m"
DONE = {
    "message": {"role": "assistant", "content": ""},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 7,
    "eval_count": 3,
    "eval_duration": 30_000_000,
}


def piece(text: str) -> dict[str, Any]:
    """One line of a streamed answer."""
    return {"message": {"role": "assistant", "content": text}, "done": False}


def say(*lines: dict[str, Any]) -> Step:
    """Send the lines, all in one write."""
    return lambda reply: reply.send(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def raw(data: bytes) -> Step:
    """Send bytes as a part of the body."""
    return lambda reply: reply.send(data)


def until(event: threading.Event) -> Step:
    """Be silent until the test says go on, or the caller has gone."""
    return lambda reply: reply.wait(event)


def status(code: int, body: str) -> Step:
    """Answer with an error of the engine's."""
    return lambda reply: reply.refuse(code, json.dumps({"error": body}).encode())


def json_body(value: object) -> Step:
    """Answer with one JSON object that has its length, as `/api/embed` does."""
    return lambda reply: reply.answer(200, json.dumps(value).encode())


def cut(reply: Reply) -> None:
    """Close the connection in the middle of the body."""
    reply.finished = False
    raise ConnectionAbortedError


def whole(*texts: str) -> list[Step]:
    """Script an answer as it should be."""
    return [say(piece(text)) for text in texts] + [say(DONE)]


@dataclass
class Reply:
    """The answer to one question."""

    handler: BaseHTTPRequestHandler
    started: bool = False
    finished: bool = True

    def send(self, data: bytes) -> None:
        if not self.started:
            self.started = True
            self.handler.send_response(200)
            self.handler.send_header("Content-Type", "application/x-ndjson")
            self.handler.send_header("Transfer-Encoding", "chunked")
            self.handler.end_headers()
        self.handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def refuse(self, code: int, body: bytes) -> None:
        self.answer(code, body)

    def answer(self, code: int, body: bytes) -> None:
        self.finished = False
        self.handler.send_response(code)
        self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def wait(self, event: threading.Event) -> None:
        while not event.wait(0.02):
            if select.select([self.handler.connection], [], [], 0)[0]:
                raise ConnectionResetError("the caller has gone")

    def end(self) -> None:
        if self.finished:
            if not self.started:
                self.send(b"\n")
            self.handler.wfile.write(b"0\r\n\r\n")


@dataclass
class ScriptedEngine:
    """Use as a context manager; `.url` is its address."""

    host: str = "127.0.0.1"
    port: int = 0
    scripts: list[list[Step]] = field(default_factory=lambda: [whole("Hello", " world")])
    tags: list[str] = field(default_factory=lambda: [TAG])
    loaded: list[str] = field(default_factory=lambda: [TAG])
    received: list[dict[str, Any]] = field(default_factory=list)
    request_ids: list[str | None] = field(default_factory=list)
    """What each of them bore as X-Request-ID."""
    connections: set[int] = field(default_factory=set)
    hung_up: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)
    """One entry for each caller who left before the answer was complete."""
    closed: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)
    """One entry for each connection that the engine has closed."""
    load_script: list[Step] = field(default_factory=lambda: [say({"done": True, "done_reason": "load"})])

    def __enter__(self) -> ScriptedEngine:
        engine = self

        class Handler(_Handler):
            scripted = engine

        self._server = _Server((self.host, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def wait_closed(self) -> None:
        """Wait until the engine has closed a connection."""
        assert self.closed.get(timeout=30)

    def next_script(self, body: dict[str, Any]) -> list[Step]:
        """Give the script for a chat; a subclass may look at what is asked."""
        return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def asked(self) -> list[dict[str, Any]]:
        """What was asked, without what only loads the model."""
        return [body for body in self.received if _asks(body)]


def _asks(body: dict[str, Any]) -> bool:
    """Say whether it asks for something: without a prompt a model is only loaded."""
    return any(body.get(name) for name in ("messages", "prompt", "input"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who cuts a connection is what many tests are about; anything else is a defect here."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for a delayed acknowledgement
    scripted: ScriptedEngine

    def finish(self) -> None:
        super().finish()
        self.connection.close()
        self.scripted.closed.put(True)

    def do_GET(self) -> None:
        bodies: dict[str, dict[str, Any]] = {
            "/api/version": {"version": "0.33.0-scripted"},
            "/api/tags": {"models": [_present(tag) for tag in self.scripted.tags]},
            "/api/ps": {"models": [{"name": tag, "size": 1} for tag in self.scripted.loaded]},
        }
        self._send(bodies[self.path])

    def _send(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/show":
            self._send({"modelfile": f"FROM {body['model']}\n"})
            return
        self.scripted.received.append(body)
        self.scripted.request_ids.append(self.headers["X-Request-ID"])
        self.scripted.connections.add(self.client_address[1])
        script = self.scripted.next_script(body) if _asks(body) else self.scripted.load_script
        reply = Reply(self)
        try:
            for step in script:
                step(reply)
            reply.end()
        except ConnectionAbortedError:
            self.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            self.scripted.hung_up.put(True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""


def _present(tag: str) -> dict[str, Any]:
    return {"name": tag, "size": 1, "digest": hashlib.sha256(tag.encode()).hexdigest()}
