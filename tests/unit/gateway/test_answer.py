"""What is kept, for whom, and what an answer says of how it came about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from ia0_daemon.engine.messages import ChatLine
from ia0_daemon.errors import EngineError
from ia0_daemon.gateway.service import Service
from ia0_daemon.settings.schema import Cache, Model
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


def test_a_load_in_mid_request_is_counted(generate: Generate, engine: FakeClient, service: Service) -> None:
    slow = ChatLine(done=True, done_reason="stop", load_duration=600_000_000)
    engine.script = [FakeAnswer(["One"], end=slow), FakeAnswer(["Two"], end=DONE)]
    generate()
    generate()
    said = service.metrics.registry.get_sample_value("ia0_model_reloads_total", {"model": "smollm2-135m"})
    assert said == 1
