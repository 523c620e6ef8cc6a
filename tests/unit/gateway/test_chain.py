"""A model that cannot answer hands on to the next one, and a stream that has begun to nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.errors import (
    AnswerAborted,
    ContextLengthExceeded,
    EngineAbsent,
    EngineError,
    EngineInterrupted,
    EngineTimeout,
    ModelUnavailable,
    Overloaded,
)
from ia0_daemon.gateway.service import Service
from ia0_daemon.settings.schema import Model, Routing
from tests.fakes import TAG, FakeAnswer, FakeClient
from tests.unit.gateway.conftest import Lines, Reconfigure

Generate = Callable[..., TestResponse]
FIRST = Model(name="first", tag=TAG, fallbacks=("second", "third"))
SECOND, THIRD = Model(name="second", tag="second:1b"), Model(name="third", tag="third:1b")
WHOLE = {"prompt": "Hi", "model": "first"}
STREAM = WHOLE | {"stream": True}
BOTH = pytest.mark.parametrize("body", [STREAM, WHOLE], ids=["stream", "whole"])
FAILURES = pytest.mark.parametrize(
    "failure",
    [
        EngineError("failed"),
        ModelUnavailable("missing"),
        EngineTimeout("silent", bound="first_token"),
        EngineInterrupted("the model's process ended"),
    ],
    ids=lambda error: type(error).__name__,
)


@pytest.fixture(autouse=True)
def chain(reconfigure: Reconfigure, service: Service) -> Iterator[None]:
    reconfigure(models={"a": FIRST, "b": SECOND, "c": THIRD})
    yield
    assert (service.gate.in_flight, service.admission.in_flight) == (0, 0)
    assert [service.slots.busy(name) for name in ("first", "second", "third")] == [0, 0, 0]


def last_line(response: TestResponse) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.data.splitlines()[-1])
    return found


def asked(engine: FakeClient) -> list[str]:
    return [question.model.name for question in engine.asked]


@BOTH
@FAILURES
def test_a_model_that_fails_before_its_first_token_is_passed_over(
    generate: Generate, engine: FakeClient, log_lines: Lines, failure: Exception, body: dict[str, Any]
) -> None:
    engine.script = [failure, FakeAnswer(["Hello"])]
    last = last_line(generate(body))
    assert (last["model"], last["requested_model"], last["passed_over"]) == ("second", "first", ["first"])
    assert asked(engine) == ["first", "second"]
    assert log_lines()[-1]["passed_over"] == ["first"]


@BOTH
def test_an_error_in_place_of_the_first_token_counts_as_before_it(
    generate: Generate, engine: FakeClient, body: dict[str, Any]
) -> None:
    engine.script = [
        FakeAnswer([EngineError("failed")]),
        FakeAnswer([EngineError("failed")]),
        FakeAnswer(["Hi"]),
    ]
    assert last_line(generate(body))["passed_over"] == ["first", "second"]


def test_a_stream_that_has_begun_stays_with_its_model(generate: Generate, engine: FakeClient) -> None:
    engine.script = [FakeAnswer(["Hello", EngineError("failed")])]
    assert last_line(generate(STREAM))["code"] == "ENGINE_ERROR"
    assert asked(engine) == ["first"]


def test_what_is_not_streamed_falls_back_until_it_is_whole(generate: Generate, engine: FakeClient) -> None:
    engine.script = [FakeAnswer(["Hel", EngineError("failed")]), FakeAnswer(["Bye"])]
    answer = generate(WHOLE).get_json()
    assert (answer["text"], answer["model"]) == ("Bye", "second")


def test_the_last_models_error_is_told(generate: Generate, engine: FakeClient) -> None:
    engine.script = [EngineError("one"), ModelUnavailable("two"), EngineTimeout("three")]
    assert (generate(WHOLE).status_code, len(engine.asked)) == (504, 3)


@pytest.mark.parametrize(
    "error",
    [ContextLengthExceeded("too long"), Overloaded("full", retry_after_s=1), EngineAbsent("nobody there")],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_the_models_fault_is_told_at_once(
    generate: Generate, engine: FakeClient, error: Exception
) -> None:
    engine.script = [error]
    assert generate(WHOLE).status_code == error.status  # type: ignore[attr-defined]
    assert asked(engine) == ["first"]


def test_a_model_that_failed_too_often_is_not_asked(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    service.breakers.limit(2, 60)
    engine.script = [
        EngineError("x"),
        FakeAnswer(["1"]),
        EngineError("x"),
        FakeAnswer(["2"]),
        FakeAnswer(["3"]),
    ]
    assert [generate(WHOLE).get_json()["text"] for _ in range(3)] == ["1", "2", "3"]
    assert asked(engine) == ["first", "second", "first", "second", "second"]
    assert service.breakers.state("first") == "open"


def test_a_model_that_dies_in_the_middle_of_its_streams_is_not_asked(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    service.breakers.limit(2, 60)
    dies = FakeAnswer(["Hello", EngineError("failed")])
    engine.script = [dies, dies, FakeAnswer(["Bye"])]
    last = [last_line(generate(STREAM)) for _ in range(3)]
    assert [each.get("code") for each in last] == ["ENGINE_ERROR", "ENGINE_ERROR", None]
    assert asked(engine) == ["first", "first", "second"]


def test_a_stream_that_ends_well_begins_the_row_anew(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    service.breakers.limit(2, 60)
    dies = FakeAnswer(["Hello", EngineError("failed")])
    engine.script = [dies, FakeAnswer(["Hello"]), dies]
    for _ in range(3):
        generate(STREAM)
    assert service.breakers.state("first") == "closed"


def test_with_all_breakers_open_the_caller_is_told_when_to_come_back(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    service.breakers.limit(1, 60)
    engine.error = EngineError("failed")
    assert generate(WHOLE).status_code == 502
    answer = generate(WHOLE)
    assert (answer.status_code, answer.get_json()["details"]["breaker"]) == (503, "open")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(engine.asked) == 3


def test_each_death_of_a_models_process_in_mid_stream_counts(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    service.breakers.limit(2, 60)
    dies = FakeAnswer(["Hello", EngineInterrupted("the model's process ended")])
    engine.script = [dies, dies]
    for state in ("closed", "open"):
        generate(STREAM | {"resume": False})
        assert service.breakers.state("first") == state


def test_a_stream_that_a_restart_ends_says_nothing_of_its_model(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    service.breakers.limit(1, 60)

    def cut_by_a_restart() -> Iterator[list[ChatLine]]:
        yield [ChatLine(message=Delta("Hello"))]
        service.gate.close("restart", expected_s=1)
        raise EngineInterrupted("the engine cut the connection")

    answer = FakeAnswer([])
    answer.pieces = cut_by_a_restart  # type: ignore[method-assign]  # no script can close the gate
    engine.script = [answer]
    assert last_line(generate(STREAM | {"resume": False}))["code"] == "ENGINE_ERROR"
    assert service.breakers.state("first") == "closed"


def test_a_stream_that_is_left_says_nothing_of_its_model(
    http: FlaskClient, engine: FakeClient, service: Service
) -> None:
    service.breakers.limit(2, 60)
    service.breakers.failed("first")
    response = http.post("/llm/generate", json=STREAM, buffered=False)
    first = next(iter(response.response))
    assert b"Hello" in (first if isinstance(first, bytes) else first.encode())
    response.close()
    service.breakers.failed("first")
    assert service.breakers.state("first") == "open"


@BOTH
def test_an_answer_that_is_given_up_for_its_text_says_nothing_of_its_model(
    generate: Generate, engine: FakeClient, service: Service, body: dict[str, Any]
) -> None:
    service.breakers.limit(1, 60)
    engine.error = AnswerAborted("one token again and again")
    assert last_line(generate(body))["code"] == "ENGINE_ERROR"
    assert asked(engine) == ["first", "second", "third"]
    assert service.breakers.state("first") == "closed"


def test_a_restarted_engine_opens_no_breaker(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    service.breakers.limit(1, 60)
    engine.script = [EngineAbsent("nobody there")]
    assert generate(WHOLE).status_code == 502
    assert service.breakers.state("first") == "closed"


@BOTH
def test_a_shared_answer_names_the_model_that_wrote_it(
    generate: Generate, engine: FakeClient, service: Service, body: dict[str, Any]
) -> None:
    engine.script = [EngineError("failed"), FakeAnswer(["Hello"])]
    response = generate(body | {"params": {"seed": 1}})
    assert (last_line(response)["model"], response.headers["X-IA0-Model"]) == ("second", "second")


TOO_LONG = ContextLengthExceeded("too long", prompt_tokens=600, context_tokens=512)
LONG = " ".join(["word"] * 600)


def test_a_prompt_that_does_not_fit_is_refused_unless_it_may_be_shortened(
    generate: Generate, engine: FakeClient
) -> None:
    engine.script = [TOO_LONG]
    assert generate(WHOLE | {"prompt": LONG}).get_json()["code"] == "CONTEXT_LENGTH_EXCEEDED"


@BOTH
def test_a_prompt_that_may_be_shortened_is_and_the_answer_says_so(
    generate: Generate, engine: FakeClient, body: dict[str, Any]
) -> None:
    engine.script = [TOO_LONG, FakeAnswer(["Hello"])]
    response = generate(body | {"prompt": LONG, "truncate": True})
    assert last_line(response)["truncated"] == {"prompt_tokens": 600, "context_tokens": 512}
    assert response.headers["X-IA0-Truncated"] == "600 of 512 tokens"
    assert LONG.endswith(engine.asked[1].messages[-1].content)
    assert len(engine.asked[1].messages[-1].content) < len(LONG)


def test_what_was_shortened_for_a_model_that_failed_is_whole_for_the_next_one(
    generate: Generate, engine: FakeClient
) -> None:
    engine.script = [TOO_LONG, EngineError("failed"), FakeAnswer(["Hello"])]
    answer = generate(WHOLE | {"prompt": LONG, "truncate": True}).get_json()
    assert (answer["model"], "truncated" in answer) == ("second", False)
    assert engine.asked[2].messages[-1].content == LONG


@pytest.mark.parametrize("stream", [False, True])
def test_free_text_where_a_form_was_asked_for_is_no_answer(
    http: FlaskClient, engine: FakeClient, service: Service, stream: bool
) -> None:
    service.breakers.limit(1, 60)
    engine.script = [FakeAnswer(["Hi", " there"]), FakeAnswer(['{"a"', ": 1}"])]
    asked = {"model": "first", "prompt": "Hi", "stream": stream, "format": {"type": "object"}}
    answers = [http.post("/api/generate", json=asked, buffered=True) for _ in range(2)]
    assert [each.status_code for each in answers] == [400, 200]
    assert service.breakers.state("first") == "closed"


def test_the_breakers_settings_come_with_a_reload(service: Service, reconfigure: Reconfigure) -> None:
    reconfigure(routing=Routing(breaker_failures=1))
    service.apply(service.live)
    service.breakers.failed("first")
    assert service.breakers.state("first") == "open"
