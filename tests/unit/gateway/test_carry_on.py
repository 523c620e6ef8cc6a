"""An answer outlives a cut, or ends in an error that says so; and nobody is ever left past the gate."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.engine.messages import ChatLine, Message
from ia0_daemon.errors import (
    ContextLengthExceeded,
    EngineAbsent,
    EngineError,
    EngineInterrupted,
    EngineTimeout,
    ModelUnavailable,
    Overloaded,
    ServiceError,
)
from ia0_daemon.gateway import tries
from ia0_daemon.gateway.service import Service
from ia0_daemon.settings.schema import Restart
from ia0_daemon.settings.units import Seconds
from tests.fakes import FakeAnswer, FakeClient
from tests.unit.gateway.conftest import Lines, Reconfigure

Generate = Callable[..., TestResponse]
STREAM = {"prompt": "Count.", "stream": True, "params": {"max_tokens": 100}}
WHOLE = STREAM | {"stream": False}
GONE = {"waitress.client_disconnected": lambda: True}
BOTH = pytest.mark.parametrize("body", [STREAM, WHOLE], ids=["stream", "whole"])


def cut() -> EngineInterrupted:
    return EngineInterrupted("the engine cut the connection")


def absent() -> EngineAbsent:
    return EngineAbsent("the engine does not accept connections")


def full() -> ContextLengthExceeded:
    return ContextLengthExceeded("the prompt is longer than the context")


def lines(response: TestResponse) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.data.splitlines()]


def text(response: TestResponse) -> str:
    return "".join(line["text"] for line in lines(response))


def kept(service: Service, how: str) -> float:
    return service.metrics.registry.get_sample_value("ia0_requests_kept_total", {"how": how}) or 0


def outcomes(service: Service) -> dict[str, int]:
    """What the tally says, without its zeros."""
    return {name: count for name, count in service.gate.tally.details().items() if count}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(tries, "LONGEST_PAUSE_S", 0.01)


@pytest.fixture(autouse=True)
def hopeful(service: Service) -> Iterator[Service]:
    """A service that hopes; whatever ends a request, it is not left past the gate or without an outcome."""
    service.is_hopeful = lambda: True
    yield service
    gate = service.gate
    assert (gate.in_flight, gate.waiting, gate.tally.pending) == (0, 0, 0)
    assert service.admission.in_flight == 0


@BOTH
@pytest.mark.parametrize("first", [FakeAnswer([cut()]), cut(), absent()], ids=["text", "status", "refused"])
def test_what_is_cut_before_its_first_token_is_asked_again(
    generate: Generate,
    engine: FakeClient,
    service: Service,
    log_lines: Lines,
    first: FakeAnswer | Exception,
    body: dict[str, Any],
) -> None:
    engine.script = [first, FakeAnswer(["Hello"])]
    answer = generate(body)
    assert text(answer) == "Hello"
    assert "resumed" not in lines(answer)[-1]
    assert engine.asked[0] is engine.asked[1]
    said = ("askings", "asked_again", "resumed")
    assert [[line.get(name) for name in said] for line in log_lines()] == [[2, 1, None]]
    assert outcomes(service) == {"cut": 1, "asked_again": 1}
    assert (kept(service, "asked_again"), kept(service, "went_on")) == (1, 0)


def test_a_whole_answer_is_that_of_the_second_asking_alone(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    engine.script = [FakeAnswer(["One,", " two", cut()]), FakeAnswer(["Eins,", " zwei"])]
    answer = generate(WHOLE).get_json()
    assert (answer["text"], answer["prompt_tokens"], answer["completion_tokens"]) == ("Eins, zwei", 7, 3)
    assert engine.asked[0] is engine.asked[1]
    assert outcomes(service) == {"cut": 1, "asked_again": 1}


def test_a_stream_goes_on_from_what_was_written(
    generate: Generate, engine: FakeClient, service: Service, log_lines: Lines
) -> None:
    engine.script = [FakeAnswer(["one,", " two, ", cut()]), FakeAnswer([" three"])]
    answer = generate(STREAM)
    assert text(answer) == "one, two, three"
    last = lines(answer)[-1]
    assert (last["resumed"], last["resumed_at"]) == (1, [len("one, two, ")])
    first, second = engine.asked
    assert second.messages == [*first.messages, Message("assistant", "one, two,")]
    assert second.options == {"num_predict": 98}
    assert [(line["resumed"], line.get("asked_again")) for line in log_lines()] == [(1, None)]
    assert outcomes(service) == {"cut": 1, "went_on": 1}
    assert (kept(service, "asked_again"), kept(service, "went_on")) == (0, 1)


def test_a_stream_goes_on_as_often_as_it_is_cut(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    engine.script = [FakeAnswer(["a", cut()]), FakeAnswer(["b", "c", cut()]), FakeAnswer(["d"])]
    answer = generate(STREAM)
    assert (text(answer), lines(answer)[-1]["resumed_at"]) == ("abcd", [1, 3])
    assert [question.options["num_predict"] for question in engine.asked] == [100, 99, 97]
    assert engine.asked[2].messages[1:] == [Message("assistant", "abc")]
    assert outcomes(service) == {"cut": 2, "went_on": 2}


def test_the_figures_are_those_of_the_answer_as_the_caller_sees_it(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    end = ChatLine(
        done=True, done_reason="length", prompt_eval_count=7 + 2, eval_count=98, eval_duration=9**9
    )
    engine.script = [FakeAnswer(["one,", " two,", cut()]), FakeAnswer([" three"], end=end)]
    last = lines(generate(STREAM))[-1]
    assert (last["prompt_tokens"], last["completion_tokens"], last["tokens_used"]) == (7, 100, 107)
    assert last["finish_reason"] == "length"
    pace = "ia0_tokens_per_second_count"
    counted = service.metrics.registry.get_sample_value(pace, {"model": "smollm2-135m"})
    assert not counted, "the engine has timed the last part alone"


def test_a_model_that_repeats_what_was_written_is_heard_behind_it(
    generate: Generate, engine: FakeClient
) -> None:
    engine.habits = [True]
    engine.script = [FakeAnswer(["one,", " two,", cut()]), FakeAnswer(["one, two,", " three"])]
    assert text(generate(STREAM)) == "one, two, three"


def test_the_habit_is_asked_of_an_engine_that_is_there(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    seen: list[int] = []
    engine.habits = [absent(), cut(), True]
    service.nudge = lambda: seen.append(len(engine.habits))
    engine.script = [FakeAnswer(["one,", cut()]), FakeAnswer(["one,", " two"])]
    assert text(generate(STREAM)) == "one, two"
    assert seen == [3, 2, 1], "after the pause and the gate, and again where it could not be told"


@pytest.mark.parametrize("script", [["The EN", "D of it"], ["The E", "N", "D of it"]])
def test_a_stop_is_matched_across_the_seam(generate: Generate, engine: FakeClient, script: list[str]) -> None:
    first, *rest = script
    engine.script = [FakeAnswer([first, cut()]), FakeAnswer([*rest, "never"])]
    answer = generate(STREAM | {"params": {"stop": "END", "max_tokens": 9}})
    last = lines(answer)[-1]
    assert text(answer) == "The EN"
    assert (last["finish_reason"], last["completion_tokens"]) == ("stop", len(script))


def test_a_cut_right_behind_the_last_token_is_the_end(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    engine.script = [FakeAnswer(["a", "b", cut()])]
    answer = generate(STREAM | {"params": {"max_tokens": 2}})
    last = lines(answer)[-1]
    assert (text(answer), last["finish_reason"], last["completion_tokens"]) == ("ab", "length", 2)
    assert len(engine.asked) == 1
    assert outcomes(service) == {"cut": 1, "went_on": 1}


@pytest.mark.parametrize(
    ("said", "prompt_tokens"), [({"prompt_tokens": 60, "context_tokens": 59}, 58), ({}, 0)]
)
def test_a_context_that_is_full_of_what_was_written_is_the_end(
    generate: Generate,
    engine: FakeClient,
    service: Service,
    log_lines: Lines,
    said: dict[str, int],
    prompt_tokens: int,
) -> None:
    engine.script = [FakeAnswer(["a", "b", cut()]), ContextLengthExceeded("too long", **said)]
    answer = generate(STREAM)
    last = lines(answer)[-1]
    assert (text(answer), last["finish_reason"], last["completion_tokens"]) == ("ab", "length", 2)
    assert [last["prompt_tokens"]] == [line["prompt_tokens"] for line in log_lines()] == [prompt_tokens]
    assert outcomes(service) == {"cut": 1, "went_on": 1}


@BOTH
def test_a_prompt_that_is_too_long_is_so_after_a_cut_too(
    generate: Generate, engine: FakeClient, body: dict[str, Any]
) -> None:
    engine.script = [cut(), full()]
    assert generate(body).get_json()["code"] == "CONTEXT_LENGTH_EXCEEDED"


def test_a_stream_that_is_not_to_go_on_ends_with_an_error(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    engine.script = [FakeAnswer(["one,", cut()])]
    *_, last = lines(generate(STREAM | {"resume": False}))
    assert (last["code"], last["done"]) == ("ENGINE_ERROR", True)
    assert len(engine.asked) == 1
    assert outcomes(service) == {"cut": 1, "failed": 1}


@pytest.mark.parametrize(
    ("body", "texts"), [(STREAM, []), (WHOLE, []), (WHOLE, ["one,"])], ids=["stream", "whole", "text"]
)
def test_what_nobody_has_seen_is_asked_again_also_where_nothing_may_go_on(
    generate: Generate, engine: FakeClient, body: dict[str, Any], texts: list[str | Exception]
) -> None:
    engine.script = [FakeAnswer([*texts, cut()]), FakeAnswer(["Hello"])]
    assert text(generate(body | {"resume": False})) == "Hello"


@BOTH
@pytest.mark.parametrize("before", [[], ["x"]], ids=["status", "text"])
def test_one_cut_more_than_is_allowed_is_an_error(
    generate: Generate,
    engine: FakeClient,
    service: Service,
    reconfigure: Reconfigure,
    body: dict[str, Any],
    before: list[str],
) -> None:
    reconfigure(restart=Restart(max_resumes=2))
    engine.script = [FakeAnswer([*before, cut()]) if before else cut() for _ in range(9)]
    assert lines(generate(body))[-1]["code"] == "ENGINE_ERROR"
    assert len(engine.asked) == 3
    assert outcomes(service)["failed"] == 1


@BOTH
def test_without_hope_a_cut_is_an_error_at_once(
    generate: Generate, engine: FakeClient, service: Service, body: dict[str, Any]
) -> None:
    service.is_hopeful = lambda: False
    engine.script = [FakeAnswer(["one,", cut()])]
    assert lines(generate(body))[-1]["code"] == "ENGINE_ERROR"
    assert len(engine.asked) == 1


def test_hope_that_is_lost_ends_the_wait(generate: Generate, engine: FakeClient, service: Service) -> None:
    service.is_hopeful = lambda: len(engine.asked) < 4
    engine.error = absent()
    assert generate(WHOLE).status_code == 502
    assert len(engine.asked) == 4


def test_an_engine_that_is_not_there_is_asked_more_often_than_one_that_cuts(
    generate: Generate, engine: FakeClient, service: Service, reconfigure: Reconfigure
) -> None:
    reconfigure(restart=Restart(max_resumes=1))
    engine.script = [FakeAnswer(["one,", cut()]), *(absent() for _ in range(20)), FakeAnswer([" two"])]
    answer = generate(STREAM)
    assert (text(answer), lines(answer)[-1]["resumed"]) == ("one, two", 1)
    assert outcomes(service) == {"cut": 1, "went_on": 1}


def test_an_engine_that_does_not_come_back_is_not_waited_for_for_ever(
    generate: Generate, engine: FakeClient, reconfigure: Reconfigure, log_lines: Lines
) -> None:
    reconfigure(restart=Restart(max_wait_s=Seconds(1)))
    engine.error = absent()
    assert generate(WHOLE).get_json()["code"] == "ENGINE_ERROR"
    (line,) = log_lines()
    assert line["latency_ms"] >= 1000
    assert line["engine_ms"] >= 300, "the pauses are the engine's time"
    assert line["daemon_ms"] == pytest.approx(line["latency_ms"] - line["engine_ms"], abs=0.1)


@BOTH
@pytest.mark.parametrize(
    "error",
    [
        EngineTimeout("silent for too long"),
        EngineError("the engine ended the answer without saying that it is done"),
        ModelUnavailable("no such model"),
        Overloaded("the queue is full"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("early", [True, False])
def test_an_error_that_is_no_interruption_is_told_and_not_tried_again(
    generate: Generate, engine: FakeClient, body: dict[str, Any], error: ServiceError, early: bool
) -> None:
    engine.script = [error if early else FakeAnswer(["one,", error])]
    assert lines(generate(body))[-1]["code"] == error.code
    assert len(engine.asked) == 1


@BOTH
def test_an_error_after_the_cut_is_told_as_it_is(
    generate: Generate, engine: FakeClient, service: Service, body: dict[str, Any]
) -> None:
    engine.script = [FakeAnswer(["one,", cut()]), ModelUnavailable("no such model")]
    assert lines(generate(body))[-1]["code"] == "MODEL_UNAVAILABLE"
    assert len(engine.asked) == 2
    assert outcomes(service) == {"cut": 1, "failed": 1}


def test_nobody_is_past_the_gate_while_the_engine_is_waited_for(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    seen: list[int] = []
    service.nudge = lambda: seen.append(service.gate.in_flight)
    engine.script = [FakeAnswer(["one,", cut()]), absent(), cut(), FakeAnswer([" two"])]
    assert text(generate(STREAM)) == "one, two"
    assert seen == [0, 0, 0]


def test_a_cut_answer_waits_at_the_gate_and_goes_on_behind_it(
    generate: Generate, engine: FakeClient, service: Service, log_lines: Lines
) -> None:
    gate = service.gate

    def restart() -> None:
        gate.close("a restart", expected_s=1)
        threading.Thread(target=open_when_somebody_waits).start()

    def open_when_somebody_waits() -> None:
        until = time.monotonic() + 10
        while not gate.waiting and time.monotonic() < until:
            threading.Event().wait(0.01)
        gate.open()

    service.nudge = restart
    engine.script = [FakeAnswer(["one,", cut()]), FakeAnswer([" two"])]
    assert text(generate(STREAM)) == "one, two"
    assert log_lines()[0]["gate_ms"] > 0


def test_a_wait_at_the_gate_that_ends_in_a_refusal_is_not_the_daemons_time(
    generate: Generate, service: Service, log_lines: Lines
) -> None:
    service.gate.limit(max_waiting=1, max_wait_s=0.3)
    service.gate.close("a restart", expected_s=9)
    answer = generate(WHOLE)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "ENGINE_RESTARTING")
    assert int(answer.headers["Retry-After"]) >= 1
    (line,) = log_lines()
    assert line["gate_ms"] >= 300
    assert line["daemon_ms"] == pytest.approx(line["latency_ms"] - line["gate_ms"], abs=0.1)


@BOTH
def test_a_caller_who_leaves_while_the_engine_is_not_there_is_noticed(
    generate: Generate, engine: FakeClient, service: Service, log_lines: Lines, body: dict[str, Any]
) -> None:
    engine.error = absent()
    generate(body, environ_overrides=GONE)
    assert [(line["status"], line["code"]) for line in log_lines()] == [(499, "CALLER_GONE")]
    assert len(engine.asked) == 1


def test_a_caller_who_leaves_after_a_cut_in_mid_stream_is_noticed(
    generate: Generate, engine: FakeClient, service: Service, log_lines: Lines
) -> None:
    engine.script = [FakeAnswer(["one,", cut()])]
    engine.error = absent()
    answer = generate(STREAM, environ_overrides=GONE)
    assert [line.get("code", "OK") for line in lines(answer)] == ["OK"]
    assert [line["code"] for line in log_lines()] == ["CALLER_GONE"]
    assert outcomes(service) == {"cut": 1, "failed": 1}


def test_a_caller_who_leaves_while_it_waits_at_the_gate_is_noticed(
    generate: Generate, engine: FakeClient, service: Service, log_lines: Lines
) -> None:
    service.gate.close("a restart", expected_s=9)
    generate(WHOLE, environ_overrides=GONE)
    assert [line["code"] for line in log_lines()] == ["CALLER_GONE"]
    assert engine.asked == []


@pytest.mark.parametrize("read", [1, 2])
def test_a_caller_who_hangs_up_on_a_stream_leaves_nothing_behind(
    http: FlaskClient, engine: FakeClient, service: Service, read: int
) -> None:
    first, second = FakeAnswer(["one,", cut()]), FakeAnswer([" two", " three"])
    engine.script = [first, second]
    response = http.post("/llm/generate", json=STREAM)
    body = iter(response.response)
    for _ in range(read):
        next(body)
    assert service.gate.in_flight == 1
    response.close()
    assert [answer.closed for answer in (first, second)] == [1, read - 1]


@BOTH
def test_a_defect_leaves_nothing_behind(generate: Generate, engine: FakeClient, body: dict[str, Any]) -> None:
    engine.script = [FakeAnswer(["one,", cut()]), ZeroDivisionError()]
    assert lines(generate(body))[-1]["code"] == "INTERNAL_ERROR"


def test_an_operators_drain_does_not_stop_what_was_cut(
    generate: Generate, engine: FakeClient, service: Service
) -> None:
    service.nudge = lambda: service.gate.shut("the operator drains this host", expected_s=9)
    engine.script = [FakeAnswer(["one,", cut()]), FakeAnswer([" two"])]
    assert text(generate(STREAM)) == "one, two"
    assert generate(STREAM).get_json()["code"] == "ENGINE_RESTARTING"
