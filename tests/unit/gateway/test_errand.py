"""What the engine answers in one piece goes the way of every answer, and outlives a cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask, request

from ia0_daemon.errors import (
    EngineAbsent,
    EngineError,
    EngineInterrupted,
    Forbidden,
    InvalidRequest,
    ModelNotFound,
    ModelUnavailable,
    Overloaded,
)
from ia0_daemon.gateway import tries
from ia0_daemon.gateway.call import Call
from ia0_daemon.gateway.errand import errand
from ia0_daemon.gateway.operation import Visit
from ia0_daemon.gateway.service import Service
from ia0_daemon.settings.schema import ApiKey, Server
from tests.fakes import MODEL, FakeClient
from tests.unit.gateway.conftest import Reconfigure

EMBED = "/api/embed"
BODY = b'{"model":"smollm2:135m","embeddings":[[0.5,0.5]],"prompt_eval_count":4}'
CUT = EngineInterrupted("the engine cut the connection")
ABSENT = EngineAbsent("nobody there")

MakeVisit = Callable[..., Visit]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(tries, "LONGEST_PAUSE_S", 0.01)


@pytest.fixture
def visit(service: Service) -> Iterator[MakeVisit]:
    """Make a visit; at the end nobody is left past the gate, in a slot or without an outcome."""
    service.is_hopeful = lambda: True
    calls: list[Call] = []

    def make(key: ApiKey | None = None) -> Visit:
        calls.append(Call("id", "POST", "/v1/embeddings", "/v1/embeddings", "", bool))
        return Visit(service, service.live, calls[-1], key, request)

    with Flask("test").test_request_context("/"):
        yield make
    for call in calls:
        call.resources.close()
    assert service.gate.in_flight == service.gate.tally.pending == service.admission.in_flight == 0
    assert service.slots.busy(MODEL.name) == 0


def test_the_body_comes_whole_and_its_tokens_are_counted(visit: MakeVisit, engine: FakeClient) -> None:
    engine.bodies = [BODY]
    here = visit()
    assert errand(here, "qwen2-7b", EMBED, {"input": ["Hi"]}) == (MODEL, BODY)
    assert (here.call.model, here.call.requested_model, here.call.prompt_tokens) == (
        MODEL.name,
        "qwen2-7b",
        4,
    )


def test_vectors_that_load_a_loaded_model_are_a_reload(
    visit: MakeVisit, engine: FakeClient, service: Service
) -> None:
    engine.bodies = [BODY[:-1] + b',"load_duration":700000000}', BODY]
    service.live.watch.note_loaded(MODEL.tag)
    here = [visit(), visit()]
    for each in here:
        errand(each, MODEL.name, EMBED, {"input": ["Hi"]})
    assert [each.call.is_reload for each in here] == [True, False]


def test_options_are_told_apart_from_the_other_fields(visit: MakeVisit, engine: FakeClient) -> None:
    engine.bodies = [BODY]
    errand(visit(), None, EMBED, {"input": ["Hi"], "options": {"seed": 1}})
    assert engine.asked[0].options == {"seed": 1}
    assert engine.asked[0].fields == {"input": ["Hi"], "stream": False}


@pytest.mark.parametrize("why", [CUT, ABSENT])
def test_a_cut_is_asked_again(
    visit: MakeVisit, engine: FakeClient, service: Service, why: EngineInterrupted
) -> None:
    engine.bodies = [why, why, BODY]
    here = visit()
    assert errand(here, None, EMBED, {"input": ["Hi"]})[1] == BODY
    assert here.call.asked_again == 2
    assert service.gate.tally.asked_again == 1


def test_cuts_end_in_an_error_where_they_do_not_end(
    visit: MakeVisit, engine: FakeClient, service: Service
) -> None:
    most = service.live.settings.restart.max_resumes
    engine.bodies = [CUT] * (most + 1)
    with pytest.raises(EngineInterrupted):
        errand(visit(), None, EMBED, {"input": ["Hi"]})
    assert len(engine.asked) == most + 1
    assert service.gate.tally.failed == 1


def test_nobody_waits_for_an_engine_that_will_not_be_back(
    visit: MakeVisit, engine: FakeClient, service: Service
) -> None:
    service.is_hopeful = lambda: False
    engine.bodies = [ABSENT]
    with pytest.raises(EngineAbsent):
        errand(visit(), None, EMBED, {"input": ["Hi"]})


def test_failures_in_a_row_open_the_breaker(visit: MakeVisit, engine: FakeClient, service: Service) -> None:
    most = service.live.settings.routing.breaker_failures
    engine.bodies = [EngineError("no")] * most
    for _ in range(most):
        with pytest.raises(EngineError):
            errand(visit(), None, EMBED, {"input": ["Hi"]})
    with pytest.raises(ModelUnavailable, match="breaker_failures"):
        errand(visit(), None, EMBED, {"input": ["Hi"]})


def test_what_a_caller_did_wrong_does_not_open_the_breaker(
    visit: MakeVisit, engine: FakeClient, service: Service
) -> None:
    engine.bodies = [InvalidRequest("no")] * 10 + [BODY]
    for _ in range(10):
        with pytest.raises(InvalidRequest):
            errand(visit(), None, EMBED, {"input": ["Hi"]})
    assert errand(visit(), None, EMBED, {"input": ["Hi"]})[1] == BODY


def test_a_key_asks_only_the_models_that_it_may_use(visit: MakeVisit) -> None:
    key = ApiKey(name="a", sha256="0" * 64, models=("another",))
    with pytest.raises(Forbidden):
        errand(visit(key), MODEL.name, EMBED, {"input": ["Hi"]})


def test_an_unknown_model_is_refused(visit: MakeVisit) -> None:
    with pytest.raises(ModelNotFound):
        errand(visit(), "none-such", EMBED, {"input": ["Hi"]})


def test_seats_are_bounded(visit: MakeVisit, engine: FakeClient, reconfigure: Reconfigure) -> None:
    reconfigure(server=Server(max_in_flight=1))
    engine.bodies = [BODY, BODY]
    errand(visit(), None, EMBED, {"input": ["Hi"]})
    with pytest.raises(Overloaded):
        errand(visit(), None, EMBED, {"input": ["Hi"]})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff"])
def test_a_body_that_is_not_ollamas_is_an_error(visit: MakeVisit, engine: FakeClient, body: bytes) -> None:
    engine.bodies = [body]
    with pytest.raises(EngineError, match="Ollama's API"):
        errand(visit(), None, EMBED, {"input": ["Hi"]})
