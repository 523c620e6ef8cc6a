"""A daemon in this process: reload, drain and what it says when it cannot start."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ia0_daemon.bind import CannotListen
from ia0_daemon.control import CommandError
from ia0_daemon.server import Daemon, needed_beside_connections, run
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.schema import Server, Settings, Shared
from tests.daemon_process import get, to_toml, wait_until_refused
from tests.engine_process import free_port
from tests.scripted_engine import TAG, ScriptedEngine, piece, say, until, whole

LIMIT_S = 30.0
STREAM = {"prompt": "Hi", "stream": True}


class Configured:
    """An ia0.toml, its source, and the daemons that were started with it."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.path = folder / "ia0.toml"
        self.port, self.health_port = free_port(), free_port()
        self.source = Source(self.path, {})
        self.settings: dict[str, dict[str, object]] = {
            "server": {
                "listen": f"127.0.0.1:{self.port}",
                "health_listen": f"127.0.0.1:{self.health_port}",
                "socket_path": str(folder / "ia0.sock"),
                "threads": 8,
                "max_in_flight": 4,
            },
            "engine": {"host": engine, "poll_interval_s": 60},
            "limits": {},
            "models.small": {"name": "smollm2-135m", "tag": TAG},
        }
        self.write()

    def write(self, **sections: dict[str, object]) -> None:
        """Write the file, with changes to its sections."""
        for name, changes in sections.items():
            self.settings[name].update(changes)
        self.path.write_text(to_toml(self.settings))


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as scripted:
        yield scripted


@pytest.fixture
def configured(tmp_path: Path, engine: ScriptedEngine) -> Configured:
    return Configured(tmp_path, engine.url)


@pytest.fixture
def start(configured: Configured) -> Iterator[Callable[[], Daemon]]:
    """Start a daemon; it is stopped with the test, unless the test stopped it."""
    started: list[Daemon] = []

    def begin() -> Daemon:
        started.append(Daemon(configured.source, configured.source.load()))
        started[-1].start()
        return started[-1]

    yield begin
    for daemon in started:
        if not daemon.service.stopping:
            daemon.stop()
        daemon.service.live.client.close()


@pytest.fixture
def daemon(start: Callable[[], Daemon]) -> Daemon:
    return start()


def ask(port: int, body: dict[str, Any]) -> http.client.HTTPResponse:
    """Post to /llm/generate; the answer's headers are there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json", "Connection": "close"}
    connection.request("POST", "/llm/generate", json.dumps(body), headers)
    return connection.getresponse()  # with "close" the socket is the response's


def status_of(port: int, body: dict[str, Any]) -> int:
    with ask(port, body) as response:
        response.read()
        return response.status


def test_a_reload_applies_what_changed(daemon: Daemon, configured: Configured) -> None:
    body = {"prompt": "Hi", "params": {"max_tokens": 7}}
    configured.write(limits={"max_tokens": 5})
    assert status_of(configured.port, body) == 200
    assert daemon.reload() == {"reloaded": True}
    assert status_of(configured.port, body) == 400


@pytest.mark.parametrize(
    ("section", "change", "fault"),
    [
        ("limits", {"max_tokens": 0}, "limits.max_tokens"),
        ("limits", {"unheard_of": 1}, "limits.unheard_of"),
        ("engine", {"timeout_s": "soon"}, "engine.timeout_s"),
    ],
)
def test_a_wrong_configuration_is_refused_whole(
    daemon: Daemon, configured: Configured, section: str, change: dict[str, object], fault: str
) -> None:
    before = daemon.service.live
    configured.write(limits={"max_prompt_chars": 3})
    configured.write(**{section: change})
    with pytest.raises(CommandError, match="the old one stays") as caught:
        daemon.reload()
    assert fault in "\n".join(caught.value.details)
    assert daemon.service.live is before
    refused = daemon.service.metrics.registry.get_sample_value
    assert refused("ia0_config_reloads_total", {"result": "refused"}) == 1


def test_a_file_that_is_gone_is_refused(daemon: Daemon, configured: Configured) -> None:
    configured.path.unlink()
    with pytest.raises(CommandError, match="the old one stays"):
        daemon.reload()


def test_what_needs_a_restart_is_refused_by_name_and_nothing_is_applied(
    daemon: Daemon, configured: Configured
) -> None:
    before = daemon.service.live
    configured.write(server={"threads": 9}, limits={"max_tokens": 5})
    with pytest.raises(CommandError, match=r"server\.threads changed, which needs a restart"):
        daemon.reload()
    assert daemon.service.live is before


def test_another_engine_is_asked_from_the_reload_on(
    daemon: Daemon, configured: Configured, engine: ScriptedEngine
) -> None:
    go_on = threading.Event()
    engine.scripts = [[say(piece("old")), until(go_on), *whole(" engine")]]
    with ScriptedEngine(scripts=[whole("new engine")]) as other, ask(configured.port, STREAM) as under_way:
        configured.write(engine={"host": other.url})
        daemon.reload()
        with ask(configured.port, {"prompt": "Hi"}) as response:
            assert json.loads(response.read())["text"] == "new engine"
        go_on.set()
        assert b" engine" in under_way.read()
        daemon.service.live.client.close()
    engine.wait_closed()  # the watch's own connection
    engine.wait_closed()  # the answer's


def test_stop_lets_an_answer_finish_and_takes_nothing_new(
    daemon: Daemon, configured: Configured, engine: ScriptedEngine
) -> None:
    go_on = threading.Event()
    engine.scripts = [[say(piece("Hello")), until(go_on), *whole(" world")]]
    with ask(configured.port, STREAM) as response:
        assert b"Hello" in response.readline()
        stopping = threading.Thread(target=daemon.stop)
        stopping.start()
        wait_until_refused(configured.port)
        assert _ready(configured.health_port) == (503, ["the daemon is stopping"])
        assert stopping.is_alive()
        go_on.set()
        lines = response.read().splitlines()
    stopping.join()
    assert json.loads(lines[-1])["finish_reason"] == "stop"


def test_stop_waits_no_longer_than_the_grace(
    configured: Configured, engine: ScriptedEngine, start: Callable[[], Daemon]
) -> None:
    configured.write(server={"shutdown_grace_s": 0.1})
    engine.scripts = [[say(piece("Hello")), until(threading.Event())]]
    daemon = start()
    with ask(configured.port, STREAM) as response:
        assert b"Hello" in response.readline()
        daemon.stop()
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    assert engine.hung_up.get(timeout=10)


@pytest.mark.parametrize("key", ["listen", "health_listen"])
def test_a_taken_address_is_named_with_its_setting(configured: Configured, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        configured.write(server={key: address})
        with pytest.raises(CannotListen) as caught:
            Daemon(configured.source, configured.source.load())
    assert str(caught.value) == f"server.{key}: {address} cannot be listened on: Address already in use"


def test_a_wrong_configuration_ends_the_start_with_every_fault(
    configured: Configured, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.write(limits={"max_tokens": 0, "unheard_of": 1})
    assert run(configured.source) == 1
    said = capsys.readouterr().err
    assert "limits.max_tokens" in said
    assert "limits.unheard_of" in said


def test_a_daemon_looks_for_its_shared_store_and_tells_of_it_until_it_ends(
    start: Callable[[], Daemon], configured: Configured
) -> None:
    configured.settings["shared"] = {"url": f"valkey://127.0.0.1:{free_port()}"}
    configured.write()
    daemon = start()
    ends = time.monotonic() + LIMIT_S
    while is_store_up(daemon):
        assert time.monotonic() < ends
        time.sleep(0.01)
    status = daemon.status()
    assert status["shared_store"]["up"] is False
    assert "the shared store is away" in status["troubles"][0]
    daemon.stop()
    assert "ia0-shared-store" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("shared", [{"url": "valkey://10.0.0.7"}, {"url_file": "/etc/ia0/shared"}])
def test_connections_to_a_shared_store_are_counted_among_the_descriptors(shared: dict[str, str]) -> None:
    alone, with_store = (
        needed_beside_connections(Settings(server=Server(threads=200), shared=Shared(**each)))
        for each in ({}, shared)
    )
    assert with_store - alone == 202  # one a thread, one that looks for it, one that ends requests


def is_store_up(daemon: Daemon) -> bool:
    state = daemon.service.limiter.shared_state
    assert state is not None
    return state.is_up


def test_a_file_without_a_stores_address_ends_the_start(configured: Configured, tmp_path: Path) -> None:
    configured.settings["shared"] = {"url_file": str(tmp_path / "url")}
    configured.write()
    with pytest.raises(ConfigError, match=r"shared\.url_file: .* cannot be read"):
        Daemon(configured.source, configured.source.load())


def test_the_status_tells_what_an_operator_asks_first(daemon: Daemon, configured: Configured) -> None:
    status = daemon.status()
    assert (status["ready"], status["reasons"], status["in_flight"]) == (True, [], 0)
    assert (status["troubles"], "shared_store" in status) == ([], False)
    assert status["models"] == {"smollm2-135m": "loaded"}
    assert status["listen"] == f"127.0.0.1:{configured.port}"


def _ready(port: int) -> tuple[int, list[str]]:
    status, body = get(port, "/health/ready")
    return status, json.loads(body)["reasons"]
