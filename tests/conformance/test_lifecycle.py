"""Starting and stopping: what a restart costs, and what it tidies away."""

from __future__ import annotations

import os
import signal
import time
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from tests.conformance.client import Client
from tests.conformance.conftest import Starter
from tests.conformance.target import Target, wait_until
from tests.engine_process import EngineProcess

sentence = pytest.mark.sentence
pytestmark = pytest.mark.needs("start")

HOUR_S = 3600


@sentence("stop.cuts-connections", "stop.kills-children", "stop.takes-no-time", "standin.3-signals")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stopping_cuts_the_answer_and_kills_the_child(start_engine: Starter, how: signal.Signals) -> None:
    engine = start_engine()
    assert engine.pid is not None
    with engine.client.open("/api/generate", engine.endless()) as stream:
        assert len(stream.take(3)) == 3
        server, (runner,) = psutil.Process(engine.pid), engine.runners()
        begin = time.monotonic()
        os.kill(engine.pid, how)
        rest = list(stream.lines())
        wait_until(lambda: not alive(server), "the server has ended", timeout_s=60)
    # Far below any answer's length; the bound is for a busy machine.
    assert time.monotonic() - begin < 20
    assert not any(line.get("done") for line in rest)
    assert not alive(runner)


def alive(process: psutil.Process) -> bool:
    """Whether it runs; one that waits for its parent to read its end does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@sentence("start.listens-before-it-answers", "standin.2-slow-start")
def test_it_can_be_connected_to_before_it_answers(tmp_path: Path) -> None:
    environment = {"IA0_ENGINE_FAULT_SLOW_START_S": "6"}
    with EngineProcess(tmp_path, env=environment, wait=False) as process:
        client = Client(process.url, timeout_s=0.5)
        wait_until(lambda: connects(client), "the port is open")
        assert not answers(client), "the port tells nothing"
        wait_until(lambda: answers(client), "/api/version answers")


def connects(client: Client) -> bool:
    try:
        client.connect().close()
    except OSError:
        return False
    return True


def answers(client: Client) -> bool:
    try:
        return client.send("GET", "/api/version").status == 200
    except (OSError, HTTPException):
        return False


@sentence("start.first-request-loads")
def test_nothing_is_loaded_at_the_start(start_engine: Starter) -> None:
    engine = start_engine()
    assert engine.client.get("/api/ps") == {"models": []}
    assert engine.runners() == []


LEFT = {
    "sha256-" + "a" * 64: 2 * HOUR_S,
    "sha256-" + "b" * 64: 0,
    "sha256-" + "c" * 64 + "-partial": 2 * HOUR_S,
    "sha256-" + "c" * 64 + "-partial-0": 2 * HOUR_S,
    "sha256-" + "d" * 64 + "-partial": 0,
}


def leave_blobs(models_dir: Path) -> None:
    """Put blobs there that nothing refers to, of these ages in seconds."""
    for name, age in LEFT.items():
        path = models_dir / "blobs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")
        os.utime(path, (time.time() - age, time.time() - age))


def blobs_left(engine: Target) -> set[str]:
    assert engine.models_dir is not None
    return {path.name for path in (engine.models_dir / "blobs").iterdir()} & set(LEFT)


@sentence("start.prunes", "disk.partials", "standin.13-prune")
def test_at_the_start_old_blobs_that_nothing_refers_to_go(start_engine: Starter, models_dir: Path) -> None:
    leave_blobs(models_dir)
    engine = start_engine(OLLAMA_MODELS=str(models_dir))
    assert blobs_left(engine) == {name for name, age in LEFT.items() if age == 0}
    assert engine.generate(options={"num_predict": 1}).status == 200


@sentence("start.noprune", "standin.13-prune")
def test_noprune_keeps_them(start_engine: Starter, models_dir: Path) -> None:
    leave_blobs(models_dir)
    engine = start_engine(OLLAMA_MODELS=str(models_dir), OLLAMA_NOPRUNE="1")
    assert blobs_left(engine) == set(LEFT)


@sentence("environment.host")
def test_it_listens_where_ollama_host_says(start_engine: Starter) -> None:
    engine = start_engine()
    assert engine.pid is not None
    connections = psutil.Process(engine.pid).net_connections()
    listening = [one.laddr for one in connections if one.status == psutil.CONN_LISTEN]
    assert [(one.ip, one.port) for one in listening] == [(engine.client.host, engine.client.port)]
