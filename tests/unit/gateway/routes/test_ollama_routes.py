"""Ollama's routes over Flask's test client: what is asked of the engine, and how it is refused."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia0_daemon.engine.messages import GENERATE, Message
from ia0_daemon.errors import EngineError
from ia0_daemon.gateway.service import Service
from tests.fakes import FakeAnswer, FakeClient

HI = [{"role": "user", "content": "Hi"}]


def chat(http: FlaskClient, **said: Any) -> Any:
    return http.post("/api/chat", json={"messages": HI, **said}, buffered=True)


def test_a_stream_is_what_comes_where_nothing_is_said(http: FlaskClient) -> None:
    response = chat(http)
    assert response.mimetype == "application/x-ndjson"
    *lines, last = map(json.loads, response.data.splitlines())
    assert "".join(line["message"]["content"] for line in lines) == "Hello world"
    assert (last["done"], last["done_reason"], last["eval_count"]) == (True, "stop", 3)


def test_one_object_comes_where_it_is_asked_for(http: FlaskClient) -> None:
    found = chat(http, stream=False).get_json()
    assert found["message"] == {"role": "assistant", "content": "Hello world"}
    assert found["prompt_eval_count"] == 7


def test_generate_goes_the_engines_own_way(http: FlaskClient, engine: FakeClient) -> None:
    body = {"prompt": "Hi", "raw": True, "options": {"num_predict": 2}}
    http.post("/api/generate", json=body, buffered=True)
    (question,) = engine.asked
    assert (question.path, question.messages) == (GENERATE, [])
    assert question.fields == {"prompt": "Hi", "raw": True}
    assert (question.options, question.may_resume) == ({"num_predict": 2}, False)


def test_what_a_message_has_reaches_the_engine(http: FlaskClient, engine: FakeClient) -> None:
    calls = [{"function": {"name": "f", "arguments": {}}}]
    said = [
        {"role": "User", "content": "Look", "images": ["aGk="]},
        {"role": "assistant", "content": None, "thinking": "Hm.", "tool_calls": calls},
        {"role": "tool", "content": "3", "tool_name": "f"},
    ]
    chat(http, messages=said, tools=[{"type": "function"}], format="json")
    (question,) = engine.asked
    assert question.messages == [
        Message("user", "Look", images=["aGk="]),
        Message("assistant", "", thinking="Hm.", tool_calls=calls),
        Message("tool", "3", tool_name="f"),
    ]
    assert question.fields == {"format": "json", "tools": [{"type": "function"}]}


def test_an_error_in_a_stream_is_its_last_line(http: FlaskClient, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer(["Hel", EngineError("it broke")])
    *_, last = map(json.loads, chat(http).data.splitlines())
    assert (last["error"], last["code"]) == ("it broke", "ENGINE_ERROR")


def test_an_error_before_the_first_byte_has_its_status(http: FlaskClient, engine: FakeClient) -> None:
    engine.error = EngineError("it broke")
    response = chat(http)
    assert (response.status_code, response.get_json()["error"]) == (502, "it broke")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"think": "much"}, "think"),
        ({"format": "xml"}, "format"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "text": "Hi"}]}, "messages[0].text"),
        ({"options": {"top_k": "x"}}, "options.top_k"),
        ({"stream": "yes"}, "stream"),
        ({"nothing": 1}, "nothing"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_field(
    http: FlaskClient, said: dict[str, Any], field: str
) -> None:
    response = chat(http, **said)
    assert response.status_code == 400
    assert response.get_json()["details"]["field"].replace("[...]", "[0]") == field


@pytest.mark.parametrize("path", ["/api/tags", "/api/ps"])
def test_what_the_engine_is_asked_about_its_models_needs_a_seat_too(
    http: FlaskClient, service: Service, path: str
) -> None:
    with ExitStack() as held:
        for _ in range(service.live.settings.server.max_in_flight):
            service.admission.enter(held, service.live.settings.server.max_in_flight)
        refusal = http.get(path)
    assert (refusal.status_code, refusal.get_json()["code"]) == (503, "OVERLOADED")


def test_an_unload_is_refused_where_nobody_is_an_administrator(http: FlaskClient, engine: FakeClient) -> None:
    response = http.post("/api/generate", json={"keep_alive": 0})
    assert response.status_code == 403
    assert engine.asked == []


def test_a_load_asks_for_nothing(http: FlaskClient, engine: FakeClient) -> None:
    engine.answer_ = FakeAnswer([])
    found = http.post("/api/generate", json={"model": "qwen2-7b"}).get_json()
    assert (found["model"], found["response"], found["done_reason"]) == ("qwen2-7b", "", "load")
    assert engine.asked[0].messages == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_somebody_is_there(http: FlaskClient, method: str) -> None:
    assert http.open("/", method=method).status_code == 200
    assert http.get("/").text == "Ollama is running"


@pytest.mark.parametrize("path", ["pull", "push", "create", "copy", "delete", "blobs/sha256:0"])
def test_without_an_administrators_key_nothing_is_changed(http: FlaskClient, path: str) -> None:
    response = http.open(f"/api/{path}", method="DELETE" if path == "delete" else "POST", json={})
    assert (response.status_code, response.get_json()["code"]) == (403, "FORBIDDEN")


FIELDS = (
    "model", "messages", "prompt", "input", "stream", "options", "format", "keep_alive", "think",
    "truncate", "shift", "context", "images", "tools", "raw", "top_logprobs", "role", "content",
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS | st.sampled_from(["qwen2-7b", "5m", "json", HI]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("path", ["chat", "generate", "embed", "embeddings"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5))
def test_no_body_is_worse_than_a_refusal(
    http: FlaskClient, engine: FakeClient, path: str, body: dict[str, Any]
) -> None:
    engine.answer_, engine.bodies = FakeAnswer(["Hi"]), [b'{"model":"m","embeddings":[[1]]}']
    response = http.post(f"/api/{path}", json=body, buffered=True)
    assert response.status_code in (200, 400, 403, 404)
    assert b"INTERNAL_ERROR" not in response.data
