"""What is kept, for whom, and what an answer says of how it came about."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.errors import ContextLengthExceeded, EngineError
from ia0_daemon.gateway.service import Service
from ia0_daemon.settings.schema import Cache, Model, Server
from tests.fakes import DONE, TAG, FakeAnswer, FakeClient
from tests.unit.gateway.conftest import Lines, Reconfigure

Generate = Callable[..., TestResponse]
DETERMINED: dict[str, Any] = {"prompt": "Hi", "params": {"temperature": 0}}


def texts(engine: FakeClient, *said: str) -> None:
    engine.script = [FakeAnswer([text]) for text in said]


@pytest.mark.parametrize("params", [{"temperature": 0}, {"seed": 7}, {"seed": 0, "temperature": 1}])
def test_a_determined_answer_is_kept(
    generate: Generate, engine: FakeClient, log_lines: Lines, params: dict[str, Any]
) -> None:
    body = {"prompt": "Hi", "params": params}
    texts(engine, "One", "Two")
    first, second = generate(body), generate(body)
    assert [answer.get_json()["text"] for answer in (first, second)] == ["One", "One"]
    assert [answer.get_json()["cached"] for answer in (first, second)] == [False, True]
    assert ("X-IA0-Cached" in first.headers, second.headers["X-IA0-Cached"]) == (False, "true")
    assert second.get_json()["completion_tokens"] == 3
    assert [line.get("cached", False) for line in log_lines()] == [False, True]


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "Hi"},
        {"prompt": "Hi", "params": {"temperature": 0.1}},
        DETERMINED | {"cache": False},
    ],
)
def test_another_answer_is_not(generate: Generate, engine: FakeClient, body: dict[str, Any]) -> None:
    texts(engine, "One", "Two")
    assert [generate(body).get_json()["text"] for _ in range(2)] == ["One", "Two"]


@pytest.mark.parametrize("seed", [-1, -7, 2**32 - 1])
def test_a_seed_that_means_another_one_each_time_determines_nothing(
    http: FlaskClient, engine: FakeClient, seed: int
) -> None:
    texts(engine, "One", "Two")
    body = {"prompt": "Hi", "options": {"seed": seed}, "stream": False}
    assert [http.post("/api/generate", json=body).get_json()["response"] for _ in range(2)] == ["One", "Two"]


def test_it_is_where_the_request_asks_for_it(generate: Generate, engine: FakeClient) -> None:
    texts(engine, "One", "Two")
    assert [generate({"prompt": "Hi", "cache": True}).get_json()["text"] for _ in range(2)] == ["One", "One"]


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "Ho"},
        {"system": "Be brief."},
        {"params": {"temperature": 0, "max_tokens": 7}},
        {"params": {"temperature": 0, "seed": 1}},
        {"model": "other"},
        {"truncate": True},
    ],
)
def test_another_request_has_its_own_answer(
    generate: Generate, engine: FakeClient, reconfigure: Reconfigure, other: dict[str, Any]
) -> None:
    reconfigure(models={"a": Model(name="one", tag=TAG), "b": Model(name="other", tag="other:1b")})
    texts(engine, "One", "Two")
    generate(DETERMINED)
    assert generate(DETERMINED | other).get_json()["text"] == "Two"


def test_a_kept_answer_may_be_streamed(generate: Generate, engine: FakeClient) -> None:
    texts(engine, "One")
    generate(DETERMINED)
    lines = generate(DETERMINED | {"stream": True}).data.splitlines()
    assert b'"text":"One"' in lines[0]
    assert b'"cached":true' in lines[1]


def begun(http: FlaskClient, **said: Any) -> TestResponse:
    """Ask for a stream, of which one piece is read."""
    response = http.post("/llm/generate", json=DETERMINED | {"stream": True} | said, buffered=False)
    next(iter(response.response))
    return response


@pytest.mark.parametrize(("resume", "answers"), [(True, 1), (False, 2)])
def test_a_stream_that_may_go_on_is_not_shared_with_one_that_may_not(
    http: FlaskClient, engine: FakeClient, resume: bool, answers: int
) -> None:
    streams = [begun(http), begun(http, resume=resume)]
    assert len(engine.asked) == answers
    for stream in streams:
        stream.close()


def test_a_determined_stream_says_in_its_head_that_its_prompt_was_cut(
    generate: Generate, engine: FakeClient
) -> None:
    too_long = ContextLengthExceeded("too long", prompt_tokens=900, context_tokens=512)
    engine.script = [too_long, FakeAnswer(["One"])]
    body = DETERMINED | {"stream": True, "truncate": True, "prompt": "one two " * 100, "system": "Hi"}
    assert generate(body).headers["X-IA0-Truncated"] == "900 of 512 tokens"


def test_what_leaves_first_is_kept_by_one_who_stays(
    http: FlaskClient, generate: Generate, engine: FakeClient
) -> None:
    first, other = begun(http), begun(http)
    first.close()
    assert b'"done":true' in b"".join(other.response)
    other.close()
    assert generate(DETERMINED).get_json()["cached"] is True
    assert len(engine.asked) == 1


def test_what_nobody_can_read_is_not_kept(generate: Generate, engine: FakeClient, service: Service) -> None:
    texts(engine, "One", "Two")
    generate(DETERMINED)
    (key,) = service.cache._memory
    service.cache.put(key, b"of another daemon's")
    assert generate(DETERMINED).get_json()["text"] == "Two"


def test_a_call_with_a_number_that_cannot_be_kept_is_answered(http: FlaskClient, engine: FakeClient) -> None:
    call = {"function": {"name": "f", "arguments": {"n": 10**30}}}
    engine.script = [FakeAnswer([ChatLine(message=Delta(tool_calls=[call]))])]
    body = {"messages": [{"role": "user", "content": "Hi"}], "options": {"seed": 1}, "stream": False}
    assert http.post("/api/chat", json=body).get_json()["message"]["tool_calls"] == [call]


def test_a_model_of_another_digest_is_another_model(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    texts(engine, "One", "Two")
    generate(DETERMINED)
    service.live.watch.state.tags[TAG] = "pulled anew"
    assert generate(DETERMINED).get_json()["text"] == "Two"


def test_nothing_is_kept_where_the_operator_does_not_want_it(
    generate: Generate, engine: FakeClient, reconfigure: Reconfigure
) -> None:
    reconfigure(cache=Cache(enabled=False))
    texts(engine, "One", "Two")
    assert [generate(DETERMINED).get_json()["text"] for _ in range(2)] == ["One", "Two"]


def test_a_failed_answer_is_not_kept(generate: Generate, engine: FakeClient) -> None:
    engine.script = [FakeAnswer(["On"], end=None), FakeAnswer(["Two"])]
    assert generate(DETERMINED).status_code == 502
    assert generate(DETERMINED).get_json()["text"] == "Two"


def test_a_fallbacks_answer_is_not_kept(
    generate: Generate, engine: FakeClient, reconfigure: Reconfigure
) -> None:
    first = Model(name="one", tag=TAG, fallbacks=("other",))
    reconfigure(models={"a": first, "b": Model(name="other", tag="other:1b")})
    engine.script = [FakeAnswer([EngineError("x")]), FakeAnswer(["Two"]), FakeAnswer(["One"])]
    assert [generate(DETERMINED).get_json()["text"] for _ in range(2)] == ["Two", "One"]


def test_an_answer_that_the_context_ended_says_so(
    generate: Generate, engine: FakeClient, log_lines: Lines
) -> None:
    full = ChatLine(done=True, done_reason="length", prompt_eval_count=500, eval_count=12)
    engine.script = [FakeAnswer(["Hello"], end=full)]
    assert generate({"prompt": "Hi"}).get_json()["context_full"] is True
    assert log_lines()[-1]["context_full"] is True


def test_one_that_its_own_bound_ended_does_not(generate: Generate, engine: FakeClient) -> None:
    short = ChatLine(done=True, done_reason="length", prompt_eval_count=7, eval_count=3)
    engine.script = [FakeAnswer(["Hello"], end=short)]
    assert "context_full" not in generate({"prompt": "Hi", "params": {"max_tokens": 3}}).get_json()


def test_a_load_in_mid_request_of_what_was_loaded_is_counted(
    generate: Generate, engine: FakeClient, service: Service, log_lines: Lines
) -> None:
    slow = ChatLine(done=True, done_reason="stop", load_duration=600_000_000)
    engine.script = [FakeAnswer([text], end=end) for text, end in zip("abc", (slow, slow, DONE), strict=True)]
    service.live.watch.forget_loaded()
    generate()
    service.live.watch.note_loaded(TAG)
    generate()
    generate()
    assert [line.get("reloaded_ms") for line in log_lines()[-3:]] == [None, 600.0, None]
    said = service.metrics.registry.get_sample_value("ia0_model_reloads_total", {"model": "smollm2-135m"})
    assert said == 1


def test_a_kept_answer_needs_no_seat(generate: Generate, service: Service, reconfigure: Reconfigure) -> None:
    reconfigure(server=Server(max_in_flight=1))
    assert generate(DETERMINED).status_code == 200
    with ExitStack() as seat:
        service.admission.enter(seat, 1)
        assert [generate(body).status_code for body in (DETERMINED, {"prompt": "Another"})] == [200, 503]
