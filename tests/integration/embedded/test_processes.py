"""The parent and its children as processes, with real weights."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path

import psutil
import pytest

from ia0_daemon.embedded.environment import VERSION
from tests.engine_process import MODEL, WEIGHTS_DIGEST, EngineProcess, weights_digest
from tests.integration.embedded.conftest import Start

LOAD = {"model": MODEL, "stream": False}
ENDLESS = {
    "model": MODEL,
    "prompt": "Count to a million.",
    "raw": True,
    "options": {"num_predict": -1, "seed": 1},
}


def begin(engine: EngineProcess, body: dict[str, object]) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=60)
    connection.request("POST", "/api/generate", json.dumps(body), {"Content-Type": "application/json"})
    return connection


def test_the_helper_names_the_packaged_weights() -> None:
    assert weights_digest() == WEIGHTS_DIGEST


def test_it_says_plainly_that_it_is_a_stand_in(engine: EngineProcess) -> None:
    assert engine.get("/api/version") == {"version": VERSION}
    assert "stand-in" in engine.log().splitlines()[0]


def test_questions_of_state_do_not_fill_the_log_and_what_fails_does(engine: EngineProcess) -> None:
    engine.get("/api/ps")
    engine.post("/api/show", {"model": "nobody"})
    log = engine.wait_for_log("POST /api/show")
    assert "404 |" in log
    assert "GET /api/ps" not in log


def test_its_log_tells_of_each_answer_whose_it_was_and_how_it_ended(engine: EngineProcess) -> None:
    connection = begin(engine, ENDLESS | {"options": {"num_predict": 2, "seed": 1}})
    connection.getresponse().read()
    connection.close()
    log = engine.wait_for_log("msg=answer finished request=- tokens=2 reason=length")
    assert "msg=answer begun request=-" in log


def test_a_loaded_model_is_a_child_that_looks_like_llama_server(engine: EngineProcess) -> None:
    assert engine.post("/api/generate", LOAD)[1][0]["done_reason"] == "load"
    (child,) = engine.children()
    command = child.cmdline()
    assert child.name() == "llama-server"
    assert Path(command[0]).name == "llama-server"
    assert command[1:3] == ["--model", str(engine.models_path / "blobs" / WEIGHTS_DIGEST.replace(":", "-"))]
    assert "" not in command


def test_idle_it_uses_no_processor_time(engine: EngineProcess) -> None:
    engine.post("/api/generate", LOAD)
    processes = [psutil.Process(engine.pid), *engine.children()]
    before = [process.cpu_times() for process in processes]
    with socket.create_connection(("127.0.0.1", engine.port)) as open_connection:
        open_connection.settimeout(1.0)
        with pytest.raises(TimeoutError):  # an idle second, with a connection that says nothing
            open_connection.recv(1)
    after = [process.cpu_times() for process in processes]
    used = sum(b.user + b.system - a.user - a.system for a, b in zip(before, after, strict=True))
    assert used < 0.1


def test_sigterm_cuts_a_stream_and_ends_the_children(start: Start) -> None:
    engine = start()
    connection = begin(engine, ENDLESS)
    response = connection.getresponse()
    assert response.readline()
    assert engine.stop() == 0
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    assert engine.children() == []


def test_after_sigkill_children_live_on_and_a_new_engine_starts_beside_them(start: Start) -> None:
    engine = start()
    engine.post("/api/generate", LOAD)
    (orphan,) = engine.children()
    engine.kill()
    assert orphan.is_running()
    engine.start()
    short = {**ENDLESS, "stream": False, "options": {"num_predict": 2}}
    status, (answer,) = engine.post("/api/generate", short)
    assert (status, answer["done"]) == (200, True)
    assert orphan.is_running()


def test_a_taken_port_is_an_error_that_names_it(engine: EngineProcess, tmp_path: Path) -> None:
    second = EngineProcess(tmp_path, env={"OLLAMA_HOST": f"127.0.0.1:{engine.port}"}, wait=False)
    second.start()
    psutil.Process(second.pid).wait(90)
    second.close()
    assert f"cannot listen on 127.0.0.1:{engine.port}" in second.log()


def test_an_unknown_fault_is_refused_at_the_start(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path, env={"IA0_ENGINE_FAULT_WEGDE": "1"}, wait=False)
    engine.start()
    psutil.Process(engine.pid).wait(90)
    engine.close()
    assert "IA0_ENGINE_FAULT_WEGDE: unknown fault" in engine.log()
