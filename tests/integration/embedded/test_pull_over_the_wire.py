"""A pull that goes wrong, from a registry on loopback, with the engine's own faults."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from ia0_daemon.embedded.store import CONFIG_TYPE, LAYER_PREFIX, Layer, Manifest
from tests.integration.embedded.conftest import Start

WEIGHTS = bytes(range(256)) * 4096  # 1 MiB
HALF = len(WEIGHTS) // 2


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry(ThreadingHTTPServer):
    """Serves one model of a few bytes and remembers which ranges were asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        config = b'{"model_format":"gguf"}'
        self.blobs = {digest(data): data for data in (WEIGHTS, config)}
        manifest = Manifest(
            Layer(CONFIG_TYPE, digest(config), len(config)),
            [Layer(LAYER_PREFIX + "model", digest(WEIGHTS), len(WEIGHTS))],
        )
        self.manifest = msgspec.json.encode(manifest)
        self.ranges: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        data = self._find()
        if data is None:
            self.send_error(404)
            return
        wanted = self.headers.get("Range", "")
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            data = data[int(first) : int(last) + 1]
            if self.path.endswith(digest(WEIGHTS)):
                self.server.ranges.append(wanted)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            try:
                self.wfile.write(data)
            except OSError:  # the engine has left
                self.close_connection = True

    def _find(self) -> bytes | None:
        if self.path == "/v2/library/tiny/manifests/latest":
            return self.server.manifest
        return self.server.blobs.get(self.path.rpartition("/")[2])


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_model_without_a_host_comes_from_the_registry_that_is_set(start: Start, registry: Registry) -> None:
    engine = start(IA0_ENGINE_REGISTRY=registry.url)
    assert engine.post("/api/pull", {"model": "tiny"})[1][-1] == {"status": "success"}
    assert "tiny:latest" in [model["name"] for model in engine.get("/api/tags")["models"]]


def test_without_a_registry_there_is_no_model_and_the_log_says_why(start: Start) -> None:
    engine = start()
    assert engine.post("/api/pull", {"model": "tiny"})[1][-1] == {
        "error": "pull model manifest: file does not exist"
    }
    engine.wait_for_log("IA0_ENGINE_REGISTRY is not set")


def test_a_plain_http_registry_must_be_allowed(start: Start, registry: Registry) -> None:
    engine = start()
    lines = engine.post("/api/pull", {"model": f"{registry.url}/library/tiny"})[1]
    assert lines[-1] == {"error": "insecure protocol http"}


def test_a_registry_that_is_not_there_is_a_clear_error(start: Start) -> None:
    engine = start(IA0_ENGINE_REGISTRY="http://127.0.0.1:1")
    error = engine.post("/api/pull", {"model": "tiny"})[1][-1]["error"]
    assert error.startswith(
        'pull model manifest: Get "http://127.0.0.1:1/v2/library/tiny/manifests/latest": '
    )
    assert "refused" in error


@pytest.mark.parametrize(
    "fault",
    [
        {"IA0_ENGINE_FAULT_PULL_STALL_AFTER_BYTES": f"{HALF};first=1", "IA0_ENGINE_PULL_STALL": "4s"},
        {"IA0_ENGINE_FAULT_PULL_CUT_AFTER_BYTES": f"{HALF};first=1", "IA0_ENGINE_PULL_BACKOFF": "10ms"},
    ],
)
def test_what_has_come_is_not_fetched_again(start: Start, registry: Registry, fault: dict[str, str]) -> None:
    engine = start(IA0_ENGINE_REGISTRY=registry.url, **fault)
    assert engine.post("/api/pull", {"model": "tiny"})[1][-1] == {"status": "success"}
    first, *others = registry.ranges
    assert first == f"bytes=0-{len(WEIGHTS) - 1}"
    assert others
    assert all(int(each.removeprefix("bytes=").partition("-")[0]) >= HALF for each in others)


def test_an_interrupted_pull_goes_on_after_a_restart(start: Start, registry: Registry) -> None:
    # Each of the six tries brings one piece: too little, but what has come stays.
    cut = {"IA0_ENGINE_FAULT_PULL_CUT_AFTER_BYTES": "1;first=6", "IA0_ENGINE_PULL_BACKOFF": "1ms"}
    engine = start(IA0_ENGINE_REGISTRY=registry.url, **cut)
    assert "max retries exceeded" in engine.post("/api/pull", {"model": "tiny"})[1][-1]["error"]
    engine.stop()
    engine.start()
    registry.ranges.clear()
    while engine.post("/api/pull", {"model": "tiny"})[1][-1] != {"status": "success"}:
        assert len(registry.ranges) < 24
    assert all(wanted != f"bytes=0-{len(WEIGHTS) - 1}" for wanted in registry.ranges)


def test_wrong_bytes_are_not_kept(start: Start, registry: Registry) -> None:
    engine = start(IA0_ENGINE_REGISTRY=registry.url, IA0_ENGINE_FAULT_PULL_CORRUPT="1;first=1")
    error = engine.post("/api/pull", {"model": "tiny"})[1][-1]["error"]
    assert error.startswith("digest mismatch, file must be downloaded again: want sha256:")
    assert engine.post("/api/pull", {"model": "tiny"})[1][-1] == {"status": "success"}
