"""An engine that answers everything at once and changes nothing, so that administrators may be fuzzed, too.

Owns the answers: what Ollama says of a body that it cannot read, two words or success otherwise.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.scripted_engine import TAG

_LISTED = {"models": [{"name": TAG, "model": TAG, "size": 1, "digest": "0" * 64}]}
_GIVEN: dict[str, dict[str, Any]] = {
    "/api/version": {"version": "0.33.0"},
    "/api/tags": _LISTED,
    "/api/ps": _LISTED,
}

_END = {
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 7,
    "eval_count": 2,
    "eval_duration": 30_000_000,
}
_WRITTEN: dict[str, list[dict[str, Any]]] = {
    "/api/chat": [
        {"message": {"role": "assistant", "content": "Hello"}, "done": False},
        {"message": {"role": "assistant", "content": ""}, **_END},
    ],
    "/api/generate": [{"response": "Hello", "done": False}, {"response": "", **_END}],
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._send(200, _GIVEN.get(self.path, {}))

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        body = self._body()
        if self.path.startswith("/api/blobs/"):
            self._send(201, None)
            return
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            self._send(400, {"error": "invalid request"})
        elif self.path in _WRITTEN:
            self._write(_WRITTEN[self.path])
        elif self.path == "/api/embed":
            texts = asked.get("input", [])
            vectors = [[0.6, 0.8]] * (1 if isinstance(texts, str) else len(texts))
            self._send(200, {"model": TAG, "embeddings": vectors, "prompt_eval_count": 2})
        else:
            self._send(200, {"status": "success"})

    def do_DELETE(self) -> None:
        self.do_POST()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _write(self, lines: list[dict[str, Any]]) -> None:
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    def _send(self, status: int, value: dict[str, Any] | None) -> None:
        body = json.dumps(value).encode() if value is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers who cut a connection are what this is for."""


@contextmanager
def pretended_engine() -> Iterator[str]:
    """Start one; gives its address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
