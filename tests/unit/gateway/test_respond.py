"""How an answer is written: one object, lines, events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from ia0_daemon.clock import timestamp
from ia0_daemon.errors import EngineError
from tests.fakes import DONE, FakeAnswer, FakeClient

Generate = Callable[..., TestResponse]
FIGURES = {
    "model": "smollm2-135m",
    "tokens_used": 10,
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "finish_reason": "stop",
}
ALL_FIELDS = {"route", "cached", *FIGURES, "latency_ms", "ttft_ms", "timestamp", "request_id"}


def lines(response: TestResponse) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.data.splitlines()]


def events(response: TestResponse) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in response.data.decode().removesuffix("\n\n").split("\n\n"):
        *kind, data = block.split("\n")
        found.append((kind[0] if kind else "", json.loads(data.removeprefix("data: "))))
    return found


def test_an_answer_has_the_contracts_fields(generate: Generate) -> None:
    answer = generate().get_json()
    assert set(answer) == {"text", *ALL_FIELDS}
    assert answer["text"] == "Hello world"
    assert {name: answer[name] for name in FIGURES} == FIGURES
    assert 0 <= answer["ttft_ms"] <= answer["latency_ms"]
    assert answer["timestamp"][:11] == timestamp()[:11]
    assert answer["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("asked", "said"), [("qwen2-7b", "qwen2-7b"), ("auto", "auto"), ("smollm2-135m", None)]
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_requested_model_is_told_where_another_answered(
    generate: Generate, asked: str, said: str | None, stream: bool
) -> None:
    answer = lines(generate({"prompt": "Hi", "model": asked, "stream": stream}))[-1]
    assert (answer["model"], answer.get("requested_model")) == ("smollm2-135m", said)


def test_a_stream_is_lines_and_its_last_bears_the_figures(generate: Generate) -> None:
    response = generate({"prompt": "Hi", "stream": True})
    *texts, last = lines(response)
    assert texts == [{"text": "Hello", "done": False}, {"text": " world", "done": False}]
    assert set(last) == {"text", "done", *ALL_FIELDS}
    assert (last["text"], last["done"]) == ("", True)
    assert response.mimetype == "application/x-ndjson"


def test_a_stream_is_events_where_the_caller_accepts_them(generate: Generate) -> None:
    response = generate({"prompt": "Hi", "stream": True}, headers={"Accept": "text/event-stream"})
    *texts, (kind, last) = events(response)
    assert texts == [("", {"text": "Hello", "done": False}), ("", {"text": " world", "done": False})]
    assert (kind, last["done"], last["tokens_used"]) == ("", True, 10)
    assert response.mimetype == "text/event-stream"


def test_nobody_between_may_hold_a_stream_back(generate: Generate) -> None:
    headers = generate({"prompt": "Hi", "stream": True}).headers
    assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")


def test_an_answer_without_text_has_the_last_line_alone(generate: Generate, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer([])
    (last,) = lines(generate({"prompt": "Hi", "stream": True}))
    assert (last["text"], last["done"], last["finish_reason"]) == ("", True, "stop")


@pytest.mark.parametrize("stream", [False, True])
def test_before_the_first_token_an_error_has_a_status(
    generate: Generate, engine: FakeClient, stream: bool
) -> None:
    engine.answer_ = FakeAnswer([EngineError("it broke")])
    response = generate({"prompt": "Hi", "stream": stream})
    assert (response.status_code, response.get_json()["code"]) == (502, "ENGINE_ERROR")


def test_after_the_first_token_an_error_is_a_line_of_its_own(generate: Generate, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer(["Hello", EngineError("it broke", why="heat")])
    response = generate({"prompt": "Hi", "stream": True})
    first, last = lines(response)
    assert (response.status_code, first["text"]) == (200, "Hello")
    assert (last["error"], last["code"], last["details"]) == ("it broke", "ENGINE_ERROR", {"why": "heat"})
    assert (last["done"], last["request_id"]) == (True, response.headers["X-Request-ID"])
    assert "timestamp" in last


def test_an_error_in_mid_stream_is_an_event_of_its_own_kind(generate: Generate, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer(["Hello", EngineError("it broke")])
    response = generate({"prompt": "Hi", "stream": True}, headers={"Accept": "text/event-stream"})
    kind, last = events(response)[-1]
    assert (kind, last["code"]) == ("event: error", "ENGINE_ERROR")


def test_a_defect_in_mid_stream_is_told_without_its_traceback(
    generate: Generate, engine: FakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    engine.answer_ = FakeAnswer(["Hello", ZeroDivisionError("secret place")])
    response = generate({"prompt": "Hi", "stream": True})
    assert lines(response)[-1]["code"] == "INTERNAL_ERROR"
    assert b"secret place" not in response.data
    assert "secret place" in caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_ends_without_figures_is_an_error(
    generate: Generate, engine: FakeClient, stream: bool
) -> None:
    engine.answer_ = FakeAnswer(["Hello"], end=None)
    assert lines(generate({"prompt": "Hi", "stream": stream}))[-1]["code"] == "ENGINE_ERROR"


def test_a_cut_by_length_is_told(generate: Generate, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer(["Hello"], end=type(DONE)(done=True, done_reason="length", eval_count=1))
    assert generate().get_json()["finish_reason"] == "length"
