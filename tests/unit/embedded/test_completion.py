"""How llama-server's events become the pieces of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.completion import CompletionRequest, Piece, complete
from ia0_daemon.embedded.failures import StatusFailure
from ia0_daemon.embedded.options import Options
from ia0_daemon.embedded.runner import Runner

Event = dict[str, Any]

PROGRESS: Event = {"content": "", "stop": False, "prompt_progress": {"total": 9, "processed": 3}}
TIMINGS = {"prompt_n": 9, "prompt_ms": 1.0, "predicted_n": 1, "predicted_ms": 1.0}
LAST: Event = {"content": "", "stop": True, "stop_type": "limit", "timings": TIMINGS}


class FakeRunner:
    """A runner whose child answers with these events."""

    num_ctx = 4096

    def __init__(self, *events: Event) -> None:
        self.client = self
        self.asked: Event = {}
        self._events = events

    def events(self, context: Context, path: str, value: Event) -> Iterator[bytes]:
        self.asked = value
        return map(msgspec.json.encode, self._events)


def pieces(runner: FakeRunner) -> list[Piece]:
    request = CompletionRequest("Hi", Options())
    return list(complete(cast("Runner", runner), Context(), request))


def test_the_progress_of_the_prompt_is_asked_for() -> None:
    runner = FakeRunner(LAST)
    pieces(runner)
    assert runner.asked["stream"]
    assert runner.asked["return_progress"]


def test_progress_is_no_piece_and_no_repetition_however_long_the_prompt() -> None:
    runner = FakeRunner(*[PROGRESS] * 100, {"content": "a", "stop": False}, LAST)
    first, last = pieces(runner)
    assert first == Piece("a")
    assert last.done_reason == "length"


def test_a_failure_after_some_progress_keeps_its_status_and_its_text() -> None:
    error = {"error": {"code": 400, "message": "too long"}}
    with pytest.raises(StatusFailure, match="too long") as failure:
        pieces(FakeRunner(PROGRESS, error))
    assert failure.value.status == 400
