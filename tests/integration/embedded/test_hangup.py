"""A caller who hangs up frees the engine, wherever the request is."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable

import psutil

from tests.engine_process import MODEL, EngineProcess
from tests.integration.embedded.conftest import Start

SHORT = {"model": MODEL, "prompt": "Hi", "raw": True, "stream": False, "options": {"num_predict": 2}}


def ask(engine: EngineProcess, **body: object) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=60)
    everything = {"model": MODEL, "raw": True, **body}
    connection.request("POST", "/api/generate", json.dumps(everything), {"Content-Type": "application/json"})
    return connection


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def work(child: psutil.Process) -> float:
    """The seconds of processor time that the child has used."""
    return sum(child.cpu_times()[:2])


def test_while_it_writes(start: Start) -> None:
    engine = start()
    connection = ask(engine, prompt="Count to a million.", options={"num_predict": -1, "seed": 1})
    assert connection.getresponse().readline()
    connection.close()
    wait_until(lambda: _ended(engine))
    assert engine.post("/api/generate", SHORT)[0] == 200


def test_while_the_prompt_is_read(start: Start) -> None:
    engine = start()
    options = {"num_batch": 64, "num_predict": 1}  # it is asked between two batches whether anybody waits
    assert engine.post("/api/chat", {"model": MODEL, "options": options})[0] == 200
    (child,) = engine.children()
    begin = work(child)
    connection = ask(engine, prompt="word " * 1200, options=options)
    wait_until(lambda: work(child) > begin + 0.1)
    connection.close()
    assert engine.post("/api/generate", {**SHORT, "options": options})[0] == 200
    cut_short = work(child) - begin
    whole = {**SHORT, "prompt": "other " * 1200, "options": options}
    assert engine.post("/api/generate", whole, timeout=300)[0] == 200
    assert cut_short < (work(child) - begin) / 2


def _ended(engine: EngineProcess) -> bool:
    """Whether a request has ended because its caller had gone."""
    return "POST /api/generate" in engine.log()


def test_while_it_waits_for_a_slot(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_WEDGE="1;when=MARK")
    first = ask(engine, prompt="MARK", stream=False)
    wait_until(lambda: bool(engine.get("/api/ps")["models"]))
    second = ask(engine, prompt="waits", stream=False)
    second.close()
    wait_until(lambda: _ended(engine))
    first.close()
    assert engine.post("/api/generate", SHORT)[0] == 200


def test_while_the_model_loads(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_SLOW_LOAD_S="30;first=1")
    connection = ask(engine, prompt="Hi", stream=False)
    wait_until(lambda: bool(engine.children()))
    connection.close()
    wait_until(lambda: not engine.children())
    assert engine.post("/api/generate", SHORT)[0] == 200
