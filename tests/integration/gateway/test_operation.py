"""What an operator does to a running daemon: keys, reload, overload, stop; and starts that are refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from ia0_daemon.keys import new_key
from tests.daemon_process import DaemonProcess, get, wait_until_refused
from tests.engine_process import free_port
from tests.integration.gateway.conftest import answer, ask, send_and_leave_open
from tests.scripted_engine import ScriptedEngine, piece, say, until, whole

STREAM = {"prompt": "Hi", "stream": True}


def test_with_keys_only_their_bearers_are_answered(scripted: ScriptedEngine, tmp_path: Path) -> None:
    key, digest = new_key()
    sections = {"auth": {}, "[auth.keys]": {"name": "shop", "sha256": digest}}
    with DaemonProcess(tmp_path, scripted.url, sections) as daemon:
        assert answer(daemon, {"prompt": "Hi"})[0] == 401
        assert answer(daemon, {"prompt": "Hi"}, Authorization=f"Bearer {key[:-1]}")[0] == 401
        assert answer(daemon, {"prompt": "Hi"}, Authorization=f"Bearer {key}")[0] == 200
        assert answer(daemon, {"prompt": "Hi"}, X_API_Key=key)[0] == 200
        assert requests.get(daemon.url + "/health", timeout=10).status_code == 200
        assert key not in daemon.log()
        assert daemon.wait_for_log(code="OK", key="shop")


def test_sighup_reloads_and_refuses(scripted_daemon: DaemonProcess) -> None:
    daemon = scripted_daemon
    body = {"prompt": "Hi", "params": {"max_tokens": 7}}
    assert answer(daemon, body)[0] == 200
    daemon.configure({"limits": {"max_tokens": 5}})
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_log(event="reloaded")
    assert answer(daemon, body)[1]["details"]["limit"] == 5
    daemon.configure({"limits": {"max_tokens": 0}})
    daemon.signal(signal.SIGHUP)
    refused = daemon.wait_for_log(event="config_refused")
    assert "limits.max_tokens" in str(refused["details"])
    assert answer(daemon, body)[1]["details"]["limit"] == 5


def test_many_signals_at_once_are_all_survived(scripted_daemon: DaemonProcess) -> None:
    for _ in range(200):
        scripted_daemon.signal(signal.SIGHUP)
    scripted_daemon.wait_for_log(event="reloaded")


def test_the_command_reloads(scripted_daemon: DaemonProcess) -> None:
    command = [sys.executable, "-m", "ia0_daemon", "reload", "--config", str(scripted_daemon.config_path)]
    assert subprocess.run(command, capture_output=True, check=True).returncode == 0
    scripted_daemon.configure({"server": {"threads": 9}})
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "server.threads" in refused.stderr


def test_health_answers_while_every_seat_streams_and_more_is_overload(
    scripted_daemon: DaemonProcess, scripted: ScriptedEngine
) -> None:
    daemon, go_on = scripted_daemon, threading.Event()
    scripted.scripts = [[say(piece("Hello")), until(go_on), *whole(" world")]]
    with ExitStack() as streams:
        open_streams = [streams.enter_context(ask(daemon, STREAM)) for _ in range(6)]
        for response in open_streams:
            assert b"Hello" in response.readline()
        with ask(daemon, {"prompt": "Hi"}) as refused:
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert json.loads(refused.read())["code"] == "OVERLOADED"
        assert get(daemon.health_port, "/health/ready")[0] == 200
        assert daemon.metric("ia0_in_flight") == 6
        go_on.set()
        assert all(b'"done":true' in response.read() for response in open_streams)
    daemon.wait_for(lambda: daemon.metric("ia0_in_flight") == 0)


def test_health_answers_while_every_thread_of_the_main_listener_is_taken(
    scripted_daemon: DaemonProcess, scripted: ScriptedEngine
) -> None:
    daemon = scripted_daemon
    scripted.scripts = [[until(threading.Event())]]
    with ExitStack() as callers:
        for _ in range(6):
            callers.enter_context(send_and_leave_open(daemon, {"prompt": "Hi"}))
        daemon.wait_for(lambda: daemon.metric("ia0_in_flight") == 6)
        for path in ("/health", "/health/live", "/health/ready", "/metrics"):
            assert get(daemon.health_port, path)[0] == 200
    daemon.wait_for(lambda: daemon.metric("ia0_in_flight") == 0)


def test_sigterm_lets_answers_finish_and_takes_nothing_new(
    scripted_daemon: DaemonProcess, scripted: ScriptedEngine
) -> None:
    go_on = threading.Event()
    scripted.scripts = [[say(piece("Hello")), until(go_on), *whole(" world")]]
    with ask(scripted_daemon, STREAM) as response:
        assert b"Hello" in response.readline()
        scripted_daemon.signal(signal.SIGTERM)
        wait_until_refused(scripted_daemon.port)
        assert get(scripted_daemon.health_port, "/health/ready")[0] == 503
        go_on.set()
        assert json.loads(response.read().splitlines()[-1])["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"limits": {"max_tokens": 0}}, "limits.max_tokens"),
        ({"server": {"listen": "0.0.0.0:8080"}}, "server.listen"),
        ({"engine": {"host": "ftp://somewhere"}}, "engine.host"),
    ],
)
def test_a_wrong_configuration_is_not_started_with(
    tmp_path: Path, sections: dict[str, dict[str, object]], said: str
) -> None:
    assert said in _fails_to_start(DaemonProcess(tmp_path, "127.0.0.1:1", sections))


def test_a_taken_address_is_named(scripted_daemon: DaemonProcess, tmp_path: Path) -> None:
    address = f"127.0.0.1:{scripted_daemon.port}"
    (folder := tmp_path / "second").mkdir()
    second = DaemonProcess(folder, "127.0.0.1:1", {"server": {"listen": address}})
    assert f"server.listen: {address} cannot be listened on" in _fails_to_start(second)


def test_a_daemon_starts_before_its_engine(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, f"127.0.0.1:{free_port()}") as daemon:
        status, body = get(daemon.health_port, "/health/ready")
        assert status == 503
        assert "does not answer" in json.loads(body)["reasons"][0]
        assert answer(daemon, {"prompt": "Hi"})[1]["code"] == "ENGINE_ERROR"


def _fails_to_start(daemon: DaemonProcess) -> str:
    command = [sys.executable, "-m", "ia0_daemon", "serve", "--config", str(daemon.config_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr
