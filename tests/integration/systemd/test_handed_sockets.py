"""A daemon that is handed its sockets as systemd does, and is restarted under load: nobody notices."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ia0_daemon.ending import QUIET_S
from tests.daemon_process import DaemonProcess, get
from tests.scripted_engine import Reply, ScriptedEngine, piece, say, until, whole

# What systemd does between fork and exec: the sockets become 3 and 4, and the variables name this process.
HAND_OVER = """
import os, sys
first, second, *command = sys.argv[1:]
os.dup2(int(first), 100), os.dup2(int(second), 101)
os.dup2(100, 3), os.dup2(101, 4)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"}
os.execv(command[0], command)
"""
HEADERS = {"Content-Type": "application/json"}
CALLERS = 8


class HandedDaemon(DaemonProcess):
    """A daemon whose listeners belong to this test's process."""

    def hold(self) -> None:
        self.sockets = [
            socket.create_server(("127.0.0.1", port), backlog=512) for port in (self.port, self.health_port)
        ]

    def start(self) -> None:
        fds = [sock.fileno() for sock in self.sockets]
        command = [sys.executable, "-m", "ia0_daemon", "serve", "--config", str(self.config_path)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", HAND_OVER, *map(str, fds), *command],
                env=self._environment(),
                stdout=log,
                stderr=log,
                pass_fds=fds,
            )
        self.wait_for(self._lives)

    def restart(self) -> None:
        assert self.stop() == 0
        self.start()


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    def slowly(_: Reply) -> None:
        time.sleep(0.05)

    with ScriptedEngine(scripts=[[say(piece("Hello")), slowly, *whole(" world")]]) as running:
        yield running


@pytest.fixture
def daemon(engine: ScriptedEngine, tmp_path: Path) -> Iterator[HandedDaemon]:
    handed = HandedDaemon(tmp_path, engine.url, {"engine": {"poll_interval_s": 0.5}})
    handed.hold()
    try:
        with handed:
            yield handed
    finally:
        for sock in handed.sockets:
            sock.close()


class Caller(threading.Thread):
    """Asks one thing after the other, and keeps what went wrong."""

    def __init__(self, port: int, stop: threading.Event, *, keeps: bool, stream: bool) -> None:
        super().__init__(daemon=True)
        self._port, self._stop_asking = port, stop
        self._keeps, self._body = keeps, json.dumps({"prompt": "Hi", "stream": stream})
        self._stream = stream
        self._asked_at = 0.0
        self.answered = 0
        self.lost: list[str] = []

    def run(self) -> None:
        connection = self._connect()
        while not self._stop_asking.is_set():
            try:
                connection = self._ask(connection)
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
                connection = self._connect()
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
        # A daemon that ends waits so long for those who keep their connections. This thread may stand still
        # for longer, and would then ask on one that is closed.
        if time.monotonic() - self._asked_at > 0.9 * QUIET_S:
            connection.close()
        self._asked_at = time.monotonic()
        connection.request("POST", "/llm/generate", self._body, HEADERS)
        response = connection.getresponse()
        answer = response.read()
        if (
            response.status != 200
            or b"world" not in answer
            or (self._stream and b'"done":true' not in answer)
        ):
            self.lost.append(f"{response.status} {answer[:200]!r}")
        self.answered += 1
        if self._keeps and not response.will_close:
            return connection
        connection.close()
        return self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)


def test_restarts_under_load_lose_no_request(daemon: HandedDaemon) -> None:
    stop = threading.Event()
    callers = [
        Caller(daemon.port, stop, keeps=number % 2 == 0, stream=number % 4 > 1) for number in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    for number in range(1, 4):
        daemon.wait_for(lambda more=5 * number: all(caller.answered > more for caller in callers))
        daemon.restart()
    daemon.wait_for(lambda: all(caller.answered > 20 for caller in callers))
    stop.set()
    for caller in callers:
        caller.join(60)
    assert [lost for caller in callers for lost in caller.lost] == []


def test_a_connection_that_comes_between_two_processes_is_answered_by_the_next(daemon: HandedDaemon) -> None:
    assert daemon.stop() == 0
    waiting = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    waiting.request("POST", "/llm/generate", json.dumps({"prompt": "Hi"}), HEADERS)
    daemon.start()
    assert waiting.getresponse().status == 200
    waiting.close()


def test_the_last_answers_come_and_what_comes_later_waits(
    daemon: HandedDaemon, engine: ScriptedEngine
) -> None:
    go_on = threading.Event()
    engine.scripts = [[say(piece("Hello")), until(go_on), *whole(" world")]]
    kept = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    kept.request("GET", "/health/live")
    kept.getresponse().read()
    stream = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    stream.request("POST", "/llm/generate", json.dumps({"prompt": "Hi", "stream": True}), HEADERS)
    under_way = stream.getresponse()
    stopping = threading.Thread(target=daemon.stop)
    stopping.start()
    daemon.wait_for(lambda: get(daemon.health_port, "/health/ready")[0] == 503)
    # On a connection that it has, it answers still, and says that this was the last.
    kept.request("GET", "/health/live")
    last = kept.getresponse()
    assert (last.status, last.headers["Connection"]) == (200, "close")
    # A new one is the next process'.
    late = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    late.request("GET", "/health/live")
    go_on.set()
    assert b"world" in under_way.read()
    stopping.join(60)
    daemon.start()
    assert late.getresponse().status == 200
    for connection in (kept, stream, late):
        connection.close()


@pytest.mark.parametrize("change", [{"listen": "127.0.0.1:1"}, {"health_listen": ""}])
def test_a_configuration_that_does_not_fit_the_sockets_is_refused_by_name(
    daemon: HandedDaemon, change: dict[str, object]
) -> None:
    assert daemon.stop() == 0
    daemon.configure({"server": change})
    with pytest.raises(AssertionError):
        daemon.start()
    assert "ia0.socket" in daemon.log()
    daemon.allow_traceback = True
    daemon.configure(
        {
            "server": {
                "listen": f"127.0.0.1:{daemon.port}",
                "health_listen": f"127.0.0.1:{daemon.health_port}",
            }
        }
    )
    daemon.log_path.write_text("")
    daemon.start()


def test_systemd_is_told_ready_reloading_alive_and_stopping(daemon: HandedDaemon, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        daemon.environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1500000"}
        daemon.restart()
        await_word(systemd, "READY=1")
        await_word(systemd, "WATCHDOG=1")
        os.kill(daemon.pid, 1)
        await_word(systemd, "RELOADING=1")
        await_word(systemd, "READY=1")
        stopping = threading.Thread(target=daemon.stop)
        stopping.start()
        await_word(systemd, "STOPPING=1")
        stopping.join(60)
    daemon.environ = {}
    daemon.start()


def await_word(systemd: socket.socket, word: str) -> None:
    """Read what systemd is told until it is this."""
    heard: Callable[[], list[str]] = lambda: systemd.recv(4096).decode().split("\n")  # noqa: E731
    while word not in heard():
        pass
