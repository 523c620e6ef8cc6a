"""Thousands of connections that do nothing, or nearly nothing, take nothing from those who ask."""

from __future__ import annotations

import http.client
import json
import resource
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon_process import DaemonProcess, get
from tests.integration.gateway.conftest import answer, stream
from tests.scripted_engine import ScriptedEngine

IDLE, SLOW = 1000, 1000
LIMIT = IDLE + SLOW + 10
# Slow senders: some in the middle of the head, some in the middle of the body.
BEGUN = (
    b"POST /llm/generate HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"POST /llm/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{",
)


@pytest.fixture(scope="module", autouse=True)
def many_descriptors() -> Iterator[None]:
    """This process holds the other ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * LIMIT:
        pytest.fail(f"the hard limit of open files is {hard}; this test needs {2 * LIMIT} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * LIMIT), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as engine:
        yield engine


@pytest.fixture(scope="module")
def daemon(engine: ScriptedEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon whose soft limit of descriptors is as low as many systems have it."""
    daemon = DaemonProcess(
        tmp_path_factory.mktemp("daemon"), engine.url, {"server": {"max_connections": LIMIT}}
    )
    daemon.run_by = ["prlimit", "--nofile=1024:"]
    with daemon:
        yield daemon


@pytest.fixture(scope="module")
def crowd(daemon: DaemonProcess) -> Iterator[list[socket.socket]]:
    """Connections that are open all the time."""
    socks = [connect(daemon) for _ in range(IDLE + SLOW)]
    for number, sock in enumerate(socks[IDLE:]):
        sock.sendall(BEGUN[number % len(BEGUN)])
    yield socks
    for sock in socks:
        sock.close()


def connect(daemon: DaemonProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", daemon.port), timeout=30)


def told(sock: socket.socket) -> tuple[int, dict[str, Any]]:
    with http.client.HTTPResponse(sock) as response:
        response.begin()
        return response.status, json.loads(response.read())


def is_open(sock: socket.socket) -> bool:
    """Whether the daemon has neither closed it nor said anything."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return not poller.poll(0)


def test_health_answers_on_its_own_listener(daemon: DaemonProcess, crowd: list[socket.socket]) -> None:
    assert get(daemon.health_port, "/health/live")[0] == 200
    assert get(daemon.health_port, "/health/ready")[0] == 200


def test_a_request_is_answered(daemon: DaemonProcess, crowd: list[socket.socket]) -> None:
    status, body = answer(daemon, {"prompt": "Hi"})
    assert (status, body["text"]) == (200, "Hello world")
    assert stream(daemon, "Hi")[-1]["done"]


def test_nobody_of_the_crowd_was_sent_away(daemon: DaemonProcess, crowd: list[socket.socket]) -> None:
    for sock in crowd[IDLE :: len(BEGUN)]:
        sock.sendall(b"x")
    assert all(is_open(sock) for sock in crowd)


def test_one_of_the_crowd_may_still_ask(daemon: DaemonProcess, crowd: list[socket.socket]) -> None:
    crowd[0].sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert told(crowd[0])[0] == 200


def test_above_the_limit_each_is_told_why(daemon: DaemonProcess, crowd: list[socket.socket]) -> None:
    more = [connect(daemon) for _ in range(200)]
    try:
        silent = sum(is_open(sock) for sock in more[:10])
        refusals = [told(sock) for sock in more[10:]]
    finally:
        for sock in more:
            sock.close()
    assert silent == 10
    assert {(status, body["code"]) for status, body in refusals} == {(503, "OVERLOADED")}
    assert refusals[0][1]["details"] == {"limit": LIMIT, "setting": "server.max_connections"}
    assert daemon.metric('ia0_requests_total{code="OVERLOADED",model="",route="unread"}') == 190


def test_when_they_have_gone_all_is_as_before(daemon: DaemonProcess, crowd: list[socket.socket]) -> None:
    for sock in crowd:
        sock.close()
    daemon.wait_for(lambda: len(list(Path(f"/proc/{daemon.pid}/fd").iterdir())) < 200)
    assert answer(daemon, {"prompt": "Hi"})[0] == 200
    daemon.wait_for(lambda: daemon.metric("ia0_in_flight") == 0)
    refused = daemon.log_lines(event="refused")
    assert {line["code"] for line in refused} == {"OVERLOADED"}


def test_slow_senders_are_told_and_ended(engine: ScriptedEngine, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, engine.url, {"server": {"request_timeout_s": 1}}) as daemon:
        socks = [connect(daemon) for _ in range(100)]
        for number, sock in enumerate(socks):
            sock.sendall(BEGUN[number % len(BEGUN)])
        assert {told(sock)[0] for sock in socks} == {408}
        for sock in socks:
            sock.close()


def test_with_too_few_descriptors_fewer_connections_are_taken_and_it_says_so(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    daemon = DaemonProcess(tmp_path, engine.url, {"server": {"max_in_flight": 16}})
    daemon.run_by = ["prlimit", "--nofile=560:560"]
    with daemon:
        (line,) = daemon.log_lines(event="few_descriptors")
        assert "server.max_connections is 4096" in line["message"]
        assert "may open 560 files" in line["message"]
        socks = [connect(daemon) for _ in range(200)]
        assert answer_or_refusal(socks[-1]) == 503
        assert answer_or_refusal(socks[0]) == 200
        for sock in socks:
            sock.close()


def answer_or_refusal(sock: socket.socket) -> int:
    if is_open(sock):
        sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    return told(sock)[0]


def test_with_no_descriptors_to_speak_of_it_does_not_start(engine: ScriptedEngine, tmp_path: Path) -> None:
    config = DaemonProcess(tmp_path, engine.url).config_path
    command = ["prlimit", "--nofile=256:256", sys.executable, "-m", "ia0_daemon", "serve", "--config", config]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "server.max_connections is 4096, but this process may open 256 files" in ran.stderr
