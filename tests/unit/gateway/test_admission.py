"""A seat is given back however the request ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.errors import EngineError, EngineTimeout, Overloaded
from ia0_daemon.gateway.admission import Admission
from ia0_daemon.gateway.service import Service
from ia0_daemon.settings.schema import Server
from tests.fakes import FakeAnswer, FakeClient
from tests.unit.gateway.conftest import Reconfigure

Generate = Callable[..., TestResponse]


def test_a_seat_is_held_until_its_request_ends() -> None:
    admission = Admission()
    with ExitStack() as first:
        admission.enter(first, 1)
        with ExitStack() as second, pytest.raises(Overloaded):
            admission.enter(second, 1)
        assert admission.in_flight == 1
    assert admission.in_flight == 0


def test_who_finds_no_seat_is_told_when_to_come_back(
    generate: Generate, service: Service, reconfigure: Reconfigure
) -> None:
    reconfigure(server=Server(max_in_flight=1))
    with ExitStack() as other:
        service.admission.enter(other, 1)
        response = generate()
    assert (response.status_code, response.get_json()["code"]) == (503, "OVERLOADED")
    assert int(response.headers["Retry-After"]) >= 1
    assert response.get_json()["details"]["setting"] == "server.max_in_flight"
    assert generate().status_code == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "script", [["a", "b"], [], [EngineError("oh")], ["a", EngineTimeout("oh")], ["a", ZeroDivisionError()]]
)
def test_seat_and_engine_are_freed_by_every_ending(
    generate: Generate, service: Service, engine: FakeClient, script: list[str | Exception], stream: bool
) -> None:
    engine.answer_ = FakeAnswer(script)
    generate({"prompt": "Hi", "stream": stream})
    assert (service.admission.in_flight, engine.answer_.closed) == (0, 1)


@pytest.mark.parametrize("error", [EngineError("oh"), ZeroDivisionError()])
def test_the_seat_is_freed_where_the_engine_cannot_be_asked(
    generate: Generate, service: Service, engine: FakeClient, error: Exception
) -> None:
    engine.error = error
    generate()
    assert service.admission.in_flight == 0


@pytest.mark.parametrize("read", [0, 1])
def test_the_seat_is_freed_where_the_caller_leaves(
    http: FlaskClient, service: Service, engine: FakeClient, read: int
) -> None:
    response = http.post("/llm/generate", json={"prompt": "Hi", "stream": True})
    assert service.admission.in_flight == 1
    pieces = iter(response.response)
    for _ in range(read):
        next(pieces)
    response.close()
    assert (service.admission.in_flight, engine.answer_.closed) == (0, 1)
