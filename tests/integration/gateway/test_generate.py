"""Answers of a real model over the wire."""

from __future__ import annotations

import json
import threading

import pytest

from tests.daemon_process import DaemonProcess
from tests.integration.gateway.conftest import answer, ask, stream
from tests.scripted_engine import ScriptedEngine, piece, say, until, whole

EXAMPLE = {
    "model": "qwen2-7b",
    "prompt": "What is the capital of France?",
    "params": {"temperature": 0.7, "max_tokens": 1000, "top_p": 0.9, "top_k": 40},
}


def test_the_contracts_example_works_word_for_word(daemon: DaemonProcess) -> None:
    status, body = answer(daemon, EXAMPLE)
    assert status == 200
    assert {"text", "model", "tokens_used", "latency_ms", "timestamp"} < set(body)
    assert body["text"].strip()
    assert (body["model"], body["requested_model"]) == ("smollm2-135m", "qwen2-7b")
    assert body["tokens_used"] == body["prompt_tokens"] + body["completion_tokens"]
    assert 0 < body["ttft_ms"] <= body["latency_ms"]


def test_parameters_reach_the_model(daemon: DaemonProcess) -> None:
    body = {
        "prompt": "Count to ten.",
        "params": {"max_tokens": 12, "seed": 7, "temperature": 1},
        "cache": False,
    }
    first, second = (answer(daemon, body)[1] for _ in range(2))
    assert first["text"] == second["text"]
    assert (first["completion_tokens"], first["finish_reason"]) == (12, "length")


def test_a_stream_gives_the_same_text_as_an_answer(daemon: DaemonProcess) -> None:
    params = {"max_tokens": 20, "temperature": 0}
    lines = stream(daemon, "Say hello.", **params)
    whole = answer(daemon, {"prompt": "Say hello.", "params": params, "cache": False})[1]
    assert "".join(line["text"] for line in lines) == whole["text"]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["completion_tokens"] == whole["completion_tokens"]


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/event-stream"])
def test_tokens_arrive_as_they_come(
    scripted_daemon: DaemonProcess, scripted: ScriptedEngine, accept: str
) -> None:
    """Each is there before the engine writes the next."""
    arrived = [threading.Event() for _ in range(5)]
    scripted.scripts = [[step for event in arrived for step in (say(piece("x")), until(event))] + whole()]
    with ask(scripted_daemon, {"prompt": "Hi", "stream": True}, Accept=accept) as response:
        assert response.headers["Content-Type"].startswith(accept)
        lines = (line for line in response if line.strip())
        for event in arrived:
            assert b'"text":"x"' in next(lines)
            event.set()
        assert b'"done":true' in next(lines)


def test_events_are_events(daemon: DaemonProcess) -> None:
    body = {"prompt": "Hi", "stream": True, "params": {"max_tokens": 5}}
    with ask(daemon, body, Accept="text/event-stream") as response:
        blocks = response.read().decode().removesuffix("\n\n").split("\n\n")
    events = [json.loads(block.removeprefix("data: ")) for block in blocks]
    assert events[-1]["done"]
    assert events[-1]["tokens_used"] > 0


def test_a_prompt_that_does_not_fit_is_refused_and_not_cut(daemon: DaemonProcess) -> None:
    status, body = answer(daemon, {"prompt": "one two three four " * 1500})
    assert (status, body["code"]) == (400, "CONTEXT_LENGTH_EXCEEDED")
    assert body["details"]["prompt_tokens"] > body["details"]["context_tokens"] == 4096


def test_every_answer_leaves_one_line(daemon: DaemonProcess) -> None:
    answer(daemon, {"prompt": "my secret", "params": {"max_tokens": 3}}, X_Request_ID="one-line")
    daemon.wait_for_log(request_id="one-line")
    (line,) = daemon.log_lines(request_id="one-line")
    assert (line["code"], line["completion_tokens"], line["model"]) == ("OK", 3, "smollm2-135m")
    assert "my secret" not in daemon.log()


def test_metrics_and_models_tell_of_it(daemon: DaemonProcess) -> None:
    series = 'ia0_requests_total{code="OK",model="smollm2-135m",route="/llm/generate"}'
    before = daemon.metric(series)
    answer(daemon, {"prompt": "Hi", "params": {"max_tokens": 2}})
    daemon.wait_for(lambda: daemon.metric(series) > before)
    daemon.wait_for(lambda: daemon.metric('ia0_model_loaded{model="smollm2-135m"}') == 1)
