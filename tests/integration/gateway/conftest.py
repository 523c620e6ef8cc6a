"""A real daemon in front of the embedded engine with its real weights, shared by the tests of this folder.

Words in a prompt switch the engine's faults on for that prompt alone.
"""

from __future__ import annotations

import http.client
import json
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess
from tests.scripted_engine import ScriptedEngine

FAULTS = {
    "SLOW_ANSWER_S": "0.03;when=SLOWLY",
    "WEDGE": "1;when=NEVER",
    "WEDGE_AFTER_TOKENS": "5;when=STALL",
    "NO_DONE_AFTER_TOKENS": "5;when=DIRTY",
    "DIE_AFTER_TOKENS": "5;when=DIE",
    "ERROR_AFTER_TOKENS": "5;when=FAIL",
}
# One test's wanted failures must not open the breaker for the next one.
PATIENT_BREAKER = {"breaker_failures": 1000}
# Each character of a prompt adds a second to the bound of the first token.
IMPATIENT = {"first_token_timeout_s": 1, "first_token_per_1k_chars_s": 1000, "timeout_s": 1}

# A prompt that fills the context takes 40 s and more to be read where the cores are shared.
LIMIT_S = 240


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    faults = {f"IA0_ENGINE_FAULT_{name}": value for name, value in FAULTS.items()}
    with EngineProcess(tmp_path_factory.mktemp("engine"), env=faults) as running:
        yield running


@pytest.fixture(scope="session")
def daemon(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    sections = {"engine": {"poll_interval_s": 0.5}, "routing": PATIENT_BREAKER}
    with DaemonProcess(tmp_path_factory.mktemp("daemon"), engine.url, sections) as running:
        yield running


@pytest.fixture(scope="session")
def impatient(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """Another daemon in front of the same engine, with small bounds."""
    sections = {"engine": IMPATIENT, "routing": PATIENT_BREAKER}
    with DaemonProcess(tmp_path_factory.mktemp("impatient"), engine.url, sections) as running:
        yield running


@pytest.fixture
def scripted() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as engine:
        yield engine


@pytest.fixture
def scripted_daemon(scripted: ScriptedEngine, tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon with few seats in front of a scripted engine."""
    sections = {"server": {"threads": 8, "max_in_flight": 6}, "engine": {"timeout_s": 20, "parallel": 6}}
    with DaemonProcess(tmp_path, scripted.url, sections) as running:
        yield running


def ask(daemon: DaemonProcess, body: object, **headers: str) -> http.client.HTTPResponse:
    """Post to /llm/generate, and return when the answer's headers are there. Close it: that hangs up."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=LIMIT_S)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", "Connection": "close"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/llm/generate", raw, sent)
    return connection.getresponse()  # with "close" the socket is the response's


def answer(daemon: DaemonProcess, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
    """Post, and give status and object."""
    with ask(daemon, body, **headers) as response:
        return response.status, json.loads(response.read())


def stream(
    daemon: DaemonProcess, prompt: str, *, resume: bool = True, **params: object
) -> list[dict[str, Any]]:
    """Post, and give all lines of the stream."""
    with ask(daemon, {"prompt": prompt, "stream": True, "resume": resume, "params": params}) as response:
        assert response.status == 200, response.read()
        return [json.loads(line) for line in response]


def send_and_leave_open(daemon: DaemonProcess, body: object) -> socket.socket:
    """Send a request without reading; close the socket to hang up."""
    raw = json.dumps(body).encode()
    sock = socket.create_connection(("127.0.0.1", daemon.port), timeout=LIMIT_S)
    head = b"POST /llm/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    sock.sendall(head + b"Content-Length: %d\r\n\r\n" % len(raw) + raw)
    return sock


@pytest.fixture
def busy(engine: EngineProcess, daemon: DaemonProcess) -> Callable[[], bool]:
    """Say whether a slot of the engine's children works, by their own word. The model is loaded."""
    assert answer(daemon, {"prompt": "Hi", "params": {"max_tokens": 1}})[0] == 200

    def look() -> bool:
        return any(slot["is_processing"] for child in engine.children() for slot in _slots(child.cmdline()))

    return look


def _slots(command: list[str]) -> list[dict[str, Any]]:
    port = command[command.index("--port") + 1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/slots", timeout=30) as response:
        slots: list[dict[str, Any]] = json.load(response)
        return slots
