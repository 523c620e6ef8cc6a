"""A small registry of models, as /api/pull asks one: a manifest and blobs, by HTTP.

Owns one model of a few bytes, and what may go wrong: a blob that stalls, or whose bytes are not
those of its digest. Counts the bytes that it sent. Real Ollama pulls from it too, as http://host:port/library/tiny.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.conformance.weights import digest_of

MODEL_TYPE = "application/vnd.ollama.image.model"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
PIECE = 65536


@dataclass
class Registry:
    """What it holds and how it misbehaves."""

    weights: bytes = b"not really weights " * 50_000
    corrupt: bool = False
    stall_after: int | None = None
    port: int = 0
    sent: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def model(self) -> str:
        """The name under which an engine pulls it."""
        return f"http://127.0.0.1:{self.port}/library/tiny:latest"

    @property
    def config(self) -> bytes:
        """The model's configuration blob."""
        return json.dumps({"model_format": "gguf", "model_family": "tiny"}).encode()

    @property
    def digest(self) -> str:
        """The digest of the weights."""
        return digest_of(self.weights)

    def manifest(self) -> bytes:
        """The manifest of the one model."""
        layers = [{"mediaType": MODEL_TYPE, "digest": self.digest, "size": len(self.weights)}]
        config = {"mediaType": CONFIG_TYPE, "digest": digest_of(self.config), "size": len(self.config)}
        content = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers}
        return json.dumps(content).encode()

    def find(self, path: str) -> bytes | None:
        """The bytes of a path, None where there is nothing."""
        if path == "/v2/library/tiny/manifests/latest":
            return self.manifest()
        if path.endswith(self.digest):
            return bytes(len(self.weights)) if self.corrupt else self.weights
        return self.config if path.endswith(digest_of(self.config)) else None


class RegistryServer(ThreadingHTTPServer):
    """The server of one registry."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.registry = registry
        registry.port = self.server_address[1]


class Handler(BaseHTTPRequestHandler):
    """Answers HEAD and GET, with ranges."""

    server: RegistryServer

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        data = self.server.registry.find(self.path)
        if data is None:
            self.send_error(404)
            return
        first, last = _range(self.headers.get("Range"), len(data))
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if body:
            self._write(data[first : last + 1])

    def _write(self, data: bytes) -> None:
        """Send in pieces, so that an engine sees progress and can leave; stall where it is asked for."""
        registry = self.server.registry
        try:
            for start in range(0, len(data), PIECE):
                if registry.stall_after is not None and registry.sent >= registry.stall_after:
                    registry.go_on.wait()
                self.wfile.write(data[start : start + PIECE])
                registry.sent += PIECE
        except OSError:
            self.close_connection = True


@contextmanager
def serve(registry: Registry) -> Iterator[Registry]:
    """Serve it on a free port until the block ends."""
    server = RegistryServer(registry)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _range(header: str | None, size: int) -> tuple[int, int]:
    """The first and the last byte that are asked for."""
    if not header:
        return 0, size - 1
    first, _, last = header.removeprefix("bytes=").partition("-")
    return int(first), min(int(last or size - 1), size - 1)
