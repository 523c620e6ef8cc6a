"""What each fault does to an answer. The conformance suite holds the others: see docs/embedded-engine.md."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine_process import MODEL, EngineProcess
from tests.integration.embedded.conftest import Start

STOPPED = "model runner has unexpectedly stopped"
BROKEN = "an error was encountered while running the model"
# Who says nothing for so long is taken to say nothing more, in seconds.
SILENT_S = 5


def body(prompt: str = "Count: one two three", **changes: object) -> dict[str, object]:
    return {
        "model": MODEL,
        "prompt": prompt,
        "raw": True,
        "options": {"num_predict": 12, "seed": 1},
        **changes,
    }


def test_a_child_that_dies_is_an_error_line_and_is_replaced(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_DIE_AFTER_TOKENS="3;first=1")
    status, lines = engine.post("/api/generate", body())
    assert status == 200
    assert [line["done"] for line in lines[:-1]] == [False] * 3
    assert lines[-1] == {"error": f"{BROKEN}: unexpected EOF"}
    assert engine.post("/api/generate", body())[1][-1]["done"]


@pytest.mark.parametrize(("tokens", "text"), [("0", STOPPED), ("3", BROKEN)])
def test_unstreamed_a_child_that_dies_is_500(start: Start, tokens: str, text: str) -> None:
    engine = start(IA0_ENGINE_FAULT_DIE_AFTER_TOKENS=tokens)
    status, (answer,) = engine.post("/api/generate", body(stream=False))
    assert status == 500
    assert answer["error"].startswith(text)


def test_a_fault_can_be_aimed_at_prompts_with_a_mark(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_ERROR_AFTER_TOKENS="1;when=MARK")
    assert "error" in engine.post("/api/generate", body("MARK one two"))[1][-1]
    assert engine.post("/api/generate", body())[1][-1]["done"]


def _read_until_silent(engine: EngineProcess, request: dict[str, object], lines: int = 0) -> None:
    """Read so many lines, however long they take, and hold that nothing comes behind them."""
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=60)
    connection.request("POST", "/api/generate", json.dumps(request))
    with closing(connection), pytest.raises(TimeoutError):
        _read_behind(connection, lines)


def _read_behind(connection: http.client.HTTPConnection, lines: int) -> bytes:
    sock = connection.sock
    sock.settimeout(60 if lines else SILENT_S)
    response = connection.getresponse()
    for _ in range(lines):
        assert response.readline()
    sock.settimeout(SILENT_S)
    return response.readline()


def test_an_answer_can_stop_in_the_middle(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_WEDGE_AFTER_TOKENS="2;first=1")
    engine.post("/api/generate", {"model": MODEL})
    _read_until_silent(engine, body(), lines=2)
    assert engine.post("/api/generate", body())[1][-1]["done"]


def test_half_wedged_it_answers_every_second_request(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_HALF_WEDGE="1")
    assert engine.post("/api/generate", body())[1][-1]["done"]
    _read_until_silent(engine, body())
    assert engine.post("/api/generate", body())[1][-1]["done"]


def test_with_a_wedged_scheduler_everything_else_answers(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_WEDGE_SCHEDULER="1")
    _read_until_silent(engine, body())
    assert engine.get("/api/tags")["models"]
    assert engine.get("/api/ps") == {"models": []}


def test_a_full_queue_can_be_played(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_QUEUE_FULL="1;first=1")
    status, (answer,) = engine.post("/api/generate", body())
    assert status == 503
    assert answer["error"] == "server busy, please try again.  maximum pending requests exceeded"
    assert engine.post("/api/generate", body())[0] == 200


def test_a_slow_start_accepts_connections_and_answers_later(tmp_path: Path) -> None:
    with EngineProcess(tmp_path, env={"IA0_ENGINE_FAULT_SLOW_START_S": "4"}, wait=False) as engine:
        connection = _connect(engine.port)
        connection.sendall(b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(30)
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.close()


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + 90
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_slow_answers_are_slow_by_what_was_asked(start: Start) -> None:
    engine = start(IA0_ENGINE_FAULT_SLOW_PROMPT_S="0.4", IA0_ENGINE_FAULT_SLOW_ANSWER_S="0.1")
    engine.post("/api/generate", {"model": MODEL})
    begin = time.monotonic()
    lines = engine.post("/api/generate", body(options={"num_predict": 4, "seed": 1}))[1]
    assert time.monotonic() - begin >= 0.4 + 0.1 * (len(lines) - 1)


def test_calls_of_tools_can_be_scripted(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    call = {"name": "weather", "arguments": {"city": "Paris"}}
    script.write_text(json.dumps([{"when": "rain", "content": "Let me see.", "tool_calls": [call]}]))
    engine = start(IA0_ENGINE_FAULT_SCRIPT=str(script))
    tool = {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
    }
    request = {"model": MODEL, "messages": [{"role": "user", "content": "Will it rain?"}], "tools": [tool]}
    lines = engine.post("/api/chat", request)[1]
    assert "".join(line["message"]["content"] for line in lines) == "Let me see."
    (calls,) = [line["message"]["tool_calls"] for line in lines if "tool_calls" in line["message"]]
    assert calls[0]["function"] == {"index": 0, **call}
    whole = engine.post("/api/chat", {**request, "stream": False})[1][0]
    assert (whole["message"]["content"], len(whole["message"]["tool_calls"])) == ("Let me see.", 1)
    assert whole["prompt_eval_count"] > 0
