"""A caller who hangs up frees the engine, wherever the request is."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from collections.abc import Callable

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


def prompt_tokens_read(engine: EngineProcess) -> int | None:
    """How many tokens of its prompt the child has read; None when it has nothing to do."""
    (child,) = engine.children()
    arguments = child.cmdline()
    address = f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}/slots"
    with urllib.request.urlopen(address, timeout=60) as answer:
        (slot,) = json.load(answer)
    return slot.get("n_prompt_tokens_processed", 0) if slot["is_processing"] else None


def test_while_it_writes(start: Start) -> None:
    engine = start()
    connection = ask(engine, prompt="Count to a million.", options={"num_predict": -1, "seed": 1})
    assert connection.getresponse().readline()
    connection.close()
    wait_until(lambda: _ended(engine))
    assert engine.post("/api/generate", SHORT)[0] == 200


def test_while_the_prompt_is_read(start: Start) -> None:
    engine = start()
    options = {"num_batch": 64, "num_predict": 1}
    assert engine.post("/api/chat", {"model": MODEL, "options": options})[0] == 200
    connection = ask(engine, prompt="word " * 3900, options=options)
    wait_until(lambda: bool(prompt_tokens_read(engine)))
    connection.close()
    wait_until(lambda: _is_free_early(engine, limit=3000))
    assert engine.post("/api/generate", {**SHORT, "options": options})[0] == 200


def _is_free_early(engine: EngineProcess, limit: int) -> bool:
    """Whether the child has stopped; it must before it has read so many tokens.

    To be asked for its slots wakes the child in its wait for results, as the tokens of another
    answer do. It must notice all the same that nobody waits.
    """
    read = prompt_tokens_read(engine)
    assert read is None or read < limit
    return read is None


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
