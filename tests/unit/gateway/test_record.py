"""What remains of a request: its log line and its counts."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.errors import EngineError
from ia0_daemon.gateway.app import end_of
from ia0_daemon.gateway.call import Call
from ia0_daemon.gateway.service import Service
from ia0_daemon.settings.schema import Log
from tests.fakes import FakeAnswer, FakeClient
from tests.unit.gateway.conftest import Lines, Reconfigure

Generate = Callable[..., TestResponse]


def count(service: Service, name: str, **labels: str) -> float | None:
    return service.metrics.registry.get_sample_value(name, labels)


def test_an_answer_leaves_one_line(generate: Generate, log_lines: Lines) -> None:
    generate({"prompt": "Hi", "model": "qwen2-7b", "stream": True}, headers={"X-Request-ID": "order-7"})
    (line,) = log_lines()
    said = {
        "event": "request",
        "request_id": "order-7",
        "method": "POST",
        "path": "/llm/generate",
        "route": "/llm/generate",
        "status": 200,
        "code": "OK",
        "model": "smollm2-135m",
        "requested_model": "qwen2-7b",
        "stream": True,
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "finish_reason": "stop",
        "remote": "127.0.0.1",
    }
    assert {name: line[name] for name in said} == said
    assert line["latency_ms"] >= line["ttft_ms"] > 0
    assert {"daemon_ms", "latency_ms"} < set(line)


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_leaves_its_status_code_and_sentence(
    generate: Generate, engine: FakeClient, log_lines: Lines, stream: bool
) -> None:
    engine.answer_ = FakeAnswer(["Hello", EngineError("it broke")])
    generate({"prompt": "Hi", "stream": stream})
    (line,) = log_lines()
    assert (line["status"], line["code"], line["error"]) == (502, "ENGINE_ERROR", "it broke")


def test_a_caller_who_left_is_told_apart(http: FlaskClient, log_lines: Lines, service: Service) -> None:
    response = http.post("/llm/generate", json={"prompt": "Hi", "stream": True})
    next(iter(response.response))
    response.close()
    assert [(line["status"], line["code"]) for line in log_lines()] == [(499, "CALLER_GONE")]
    labels = {"route": "/llm/generate", "model": "smollm2-135m", "code": "CALLER_GONE"}
    assert count(service, "ia0_requests_total", **labels) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_no_text_is_logged(generate: Generate, log_lines: Lines, stream: bool) -> None:
    generate({"prompt": "my secret", "system": "my secret", "stream": stream})
    generate({"prompt": ["my secret"], "stream": stream})
    generate({"prompt": "x", "my": ["my secret"]})
    assert len(log_lines()) == 3
    assert "my secret" not in str(log_lines())
    assert "Hello" not in str(log_lines())


@pytest.mark.parametrize("stream", [False, True])
def test_texts_are_logged_where_the_operator_wants_them(
    generate: Generate, log_lines: Lines, reconfigure: Reconfigure, stream: bool
) -> None:
    reconfigure(log=Log(prompts=True))
    generate({"prompt": "Hi", "system": "Be kind.", "stream": stream})
    (line,) = log_lines()
    assert (line["prompt"], line["system"], line["text"]) == ("Hi", "Be kind.", "Hello world")


def test_a_probe_is_a_line_for_debugging_unless_it_fails(
    http: FlaskClient, service: Service, log_lines: Lines
) -> None:
    http.get("/health/ready", buffered=True)
    assert [line["levelno"] for line in log_lines()] == [logging.DEBUG]


def test_requests_are_counted_by_route_model_and_code(generate: Generate, service: Service) -> None:
    generate()
    generate({"prompt": ""})
    route = {"route": "/llm/generate"}
    assert count(service, "ia0_requests_total", **route, model="smollm2-135m", code="OK") == 1
    assert count(service, "ia0_requests_total", **route, model="", code="INVALID_REQUEST") == 1
    assert count(service, "ia0_tokens_total", model="smollm2-135m", kind="prompt") == 7
    assert count(service, "ia0_tokens_total", model="smollm2-135m", kind="completion") == 3
    for name in ("ia0_time_to_first_token_seconds_count", "ia0_tokens_per_second_count"):
        assert count(service, name, model="smollm2-135m") == 1
    assert count(service, "ia0_daemon_seconds_count", **route) == 2


def test_tokens_of_a_kept_answer_are_not_counted_again(generate: Generate, service: Service) -> None:
    for _ in range(2):
        generate({"prompt": "Hi", "params": {"seed": 1}})
    assert count(service, "ia0_tokens_total", model="smollm2-135m", kind="completion") == 3
    assert count(service, "ia0_tokens_per_second_count", model="smollm2-135m") == 1


def test_tokens_of_texts_that_became_vectors_are_counted(
    http: FlaskClient, engine: FakeClient, service: Service
) -> None:
    engine.bodies = [b'{"model":"m","embeddings":[[1]],"prompt_eval_count":5}']
    http.post("/api/embed", json={"input": "Hi"}, buffered=True)
    assert count(service, "ia0_tokens_total", model="smollm2-135m", kind="prompt") == 5


def test_what_callers_invent_does_not_grow_the_metrics(http: FlaskClient, service: Service) -> None:
    for number in range(20):
        http.get(f"/nothing/{number}", buffered=True)
        http.post("/llm/generate", json={"prompt": "Hi", "model": f"m{number}"}, buffered=True)
        http.open("/models", method=f"X{number}", buffered=True)
    series = [
        line for line in service.metrics.render().splitlines() if line.startswith(b"ia0_requests_total")
    ]
    assert len(series) == 3


def test_head_requests_are_recorded(http: FlaskClient, log_lines: Lines) -> None:
    http.head("/models", buffered=True)
    assert [line["method"] for line in log_lines()] == ["HEAD"]


def test_a_request_is_recorded_also_where_something_of_it_cannot_be_freed(
    service: Service, log_lines: Lines
) -> None:
    call = Call("id", "POST", "/", "/", "", bool)
    call.resources.callback(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        end_of(call, service)
    assert [line["request_id"] for line in log_lines()] == ["id"]


@pytest.mark.parametrize(
    ("resumed", "asked_again", "is_reload"), [(0, 0, True), (1, 0, False), (0, 1, False)]
)
def test_a_load_after_a_cut_is_no_reload(resumed: int, asked_again: int, is_reload: bool) -> None:
    call = Call("id", "POST", "/", "/", "", bool, was_loaded=True, load_s=3)
    call.resumed, call.asked_again = resumed, asked_again
    assert call.is_reload is is_reload
