"""Real processes: one that stands still is deaf; one that is busy, gone or no model's is not."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ia0_daemon.supervisor import deaf
from ia0_daemon.supervisor.deaf import is_deaf
from tests.engine_process import free_port
from tests.unit.supervisor.restart_fakes import until

SERVER = (
    "import sys; from http.server import *; HTTPServer(('127.0.0.1', int(sys.argv[2])), {}).serve_forever()"
)
# Answers 404: it is an answer.
HANDLER = "SimpleHTTPRequestHandler"


@contextmanager
def child(*arguments: str, code: str = SERVER.format(HANDLER)) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


@contextmanager
def server() -> Iterator[subprocess.Popen[bytes]]:
    port = free_port()
    with child("--port", str(port)) as process:
        until(lambda: _answers(port))
        yield process


def test_a_process_that_answers_is_not_deaf() -> None:
    with server() as process:
        assert not is_deaf(process.pid)


def test_a_process_that_stands_still_is_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deaf, "TIMEOUT_S", 0.5)
    with server() as process:
        os.kill(process.pid, signal.SIGSTOP)
        assert is_deaf(process.pid)


def test_a_port_that_nobody_listens_on_is_no_sign() -> None:
    with child("--port", str(free_port()), code="import time; time.sleep(1000)") as process:
        assert not is_deaf(process.pid)


@pytest.mark.parametrize("arguments", [(), ("--port",), ("--port", "none")])
def test_a_process_without_a_port_is_not_judged(arguments: tuple[str, ...]) -> None:
    with child(*arguments, code="import time; time.sleep(1000)") as process:
        assert not is_deaf(process.pid)


def test_a_process_that_has_ended_is_not_deaf() -> None:
    with child("--port", str(free_port()), code="") as process:
        process.wait(30)
        assert not is_deaf(process.pid)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()
    return True
