"""What `make fuzz` takes for a fault, and what it does not."""

from __future__ import annotations

import pytest

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.error_shapes import body_of
from ia0_daemon.gateway.respond import encode
from tests.fuzz.judge import faults
from tests.fuzz.shot import Shot
from tests.fuzz.wire import Answer, Outcome

SHOT = Shot("kind", b"")
JSON = {"content-type": "application/json"}


def refusal(path: str, status: int = 400) -> Answer:
    return Answer(status, JSON, encode(body_of(path, InvalidRequest("wrong"), "1")))


def judged(*answers: Answer, path: str = "/llm/generate", shot: Shot = SHOT, end: str = "answered") -> int:
    return len(faults(shot, path, Outcome(list(answers), end)))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/llm/generate", "/v1/chat/completions", "/api/chat"])
def test_a_refusal_in_the_paths_shape_is_none(path: str) -> None:
    assert judged(refusal(path), path=path) == 0


def test_another_shape_is_a_fault() -> None:
    assert judged(refusal("/v1/models", 404), path="/api/tags") == 1
    assert judged(refusal("/llm/generate", 404), path="/v1/models") == 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failure_of_the_daemons_is_a_fault(status: int) -> None:
    assert judged(refusal("/llm/generate", status)) == 1


def test_a_refusal_that_is_no_json_is_a_fault() -> None:
    assert judged(Answer(404, {"content-type": "text/html"}, b"<html>")) == 1


def test_an_end_without_the_answer_that_was_due_is_a_fault() -> None:
    assert judged(end="closed") == 1
    assert judged(end="closed", shot=Shot("kind", b"", answers=0)) == 0


def test_silence_is_a_fault() -> None:
    assert judged(end="hung", shot=Shot("kind", b"", answers=0)) == 1


def test_a_daemon_that_says_that_it_is_not_well_is_none() -> None:
    assert judged(Answer(503, JSON, b'{"status":"unavailable"}'), path="/health") == 0
