"""What the engine's log tells of an answer, so that it can be held against what others say of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.completion import Piece
from ia0_daemon.embedded.failures import Cancelled, EngineFailure
from ia0_daemon.embedded.told import digest, tell_prefill, told

LAST = Piece("", done_reason="length", metrics={"eval_count": 2})


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "ia0_daemon.embedded.told")
    return caplog


def broken(error: EngineFailure) -> Iterator[Piece]:
    yield Piece("a")
    raise error


def test_a_whole_answer_is_begun_and_finished_with_its_tokens_and_its_text(
    log: pytest.LogCaptureFixture,
) -> None:
    pieces = told(iter([Piece(" a"), Piece("b"), LAST]), Context("r1"))
    assert [piece.content for piece in pieces] == [" a", "b", ""]
    text = digest("ab")
    assert log.messages == [
        "answer begun request=r1",
        f"answer finished request=r1 tokens=2 reason=length blank=%20 text={text}",
    ]


def test_its_end_is_told_before_its_last_piece_goes_out(log: pytest.LogCaptureFixture) -> None:
    pieces = told(iter([LAST]), Context("r1"))
    assert next(pieces) is LAST
    pieces.close()  # type: ignore[attr-defined]  # it is a generator
    assert [message.split()[1] for message in log.messages] == ["begun", "finished"]


def test_a_caller_who_leaves_between_two_pieces_cuts_it(log: pytest.LogCaptureFixture) -> None:
    pieces = told(iter([Piece("a"), LAST]), Context("r1"))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]  # it is a generator
    assert log.messages[-1] == "answer cut request=r1 pieces=1"


def test_a_cancelled_answer_is_cut(log: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Cancelled):
        list(told(broken(Cancelled()), Context()))
    assert log.messages[-1] == "answer cut request=- pieces=1"


def test_a_failure_is_told_with_its_text(log: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EngineFailure):
        list(told(broken(EngineFailure("no more")), Context("r1")))
    assert log.messages[-1] == "answer failed request=r1 pieces=1 error='no more'"


def test_an_answer_that_just_ends_has_no_end(log: pytest.LogCaptureFixture) -> None:
    list(told(iter([Piece("a")]), Context("r1")))
    assert log.messages[-1] == "answer without an end request=r1 pieces=1"


def test_texts_are_named_not_told(log: pytest.LogCaptureFixture) -> None:
    tell_prefill("a secret ", Context("r1"))
    assert log.messages == [f"answer goes on request=r1 from={digest('a secret')}"]
    assert "secret" not in log.text
