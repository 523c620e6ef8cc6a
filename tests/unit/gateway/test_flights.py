"""Equal requests are computed once, and nobody who leaves takes anything from the others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.errors import CallerGone, EngineError
from ia0_daemon.gateway.call import Call
from ia0_daemon.gateway.chain import ChainAnswer
from ia0_daemon.gateway.flights import Flight, Flights


@dataclass
class Source:
    """An answer whose pieces the test lets come."""

    slip: Call
    steps: queue.SimpleQueue[str | Exception | None] = field(default_factory=queue.SimpleQueue)
    closed: int = 0
    began: threading.Event = field(default_factory=threading.Event)

    def pieces(self) -> Iterator[list[ChatLine]]:
        self.began.set()
        while (step := self._next()) is not None:
            if isinstance(step, Exception):
                raise step
            yield [ChatLine(message=Delta(step))]

    def _next(self) -> str | Exception | None:
        while True:
            try:
                return self.steps.get(timeout=0.01)
            except queue.Empty:
                if self.slip.caller_gone():
                    return CallerGone("all have gone")

    def close(self) -> None:
        self.closed += 1


class Caller:
    """One who asks for the same as the others."""

    def __init__(self, flights: Flights, sources: list[Source]) -> None:
        self.gone = threading.Event()
        self.call = Call("id", "POST", "/", "/", "", self.gone.is_set)
        self._sources = sources
        self.flight, self.is_late = flights.join(b"key", self.call, self._begin)

    def _begin(self, slip: Call) -> ChainAnswer:
        self._sources.append(Source(slip))
        return cast("ChainAnswer", self._sources[-1])

    def read(self) -> str:
        return "".join(line.text for lines in self.flight.pieces(self.call) for line in lines)

    def leave(self) -> None:
        self.gone.set()
        self.call.resources.close()


@pytest.fixture
def sources() -> list[Source]:
    return []


@pytest.fixture
def flights() -> Iterator[Flights]:
    found = Flights()
    yield found
    assert len(found) == 0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def feed(source: Source, *steps: str | Exception | None) -> None:
    for step in steps:
        source.steps.put(step)


def test_equal_requests_have_one_answer(
    flights: Flights, sources: list[Source], pool: ThreadPoolExecutor
) -> None:
    callers = [Caller(flights, sources) for _ in range(4)]
    answers = [pool.submit(caller.read) for caller in callers]
    feed(sources[0], "Hel", "lo", None)
    assert [answer.result(10) for answer in answers] == ["Hello"] * 4
    assert [caller.is_late for caller in callers] == [False, True, True, True]
    for caller in callers:
        assert sources[0].closed == 0
        caller.leave()
    assert (len(sources), sources[0].closed) == (1, 1)


def test_who_comes_late_gets_what_has_come_already(flights: Flights, sources: list[Source]) -> None:
    first = Caller(flights, sources)
    feed(sources[0], "Hel")
    pieces = first.flight.pieces(first.call)
    assert next(pieces)[0].text == "Hel"
    late = Caller(flights, sources)
    feed(sources[0], "lo", None)
    assert late.read() == "Hello"
    assert [lines[0].text for lines in pieces] == ["lo"]
    first.leave()
    late.leave()


def test_the_first_ones_hanging_up_does_not_end_the_others(
    flights: Flights, sources: list[Source], pool: ThreadPoolExecutor
) -> None:
    first, other = Caller(flights, sources), Caller(flights, sources)
    reading: Future[str] = pool.submit(first.read)
    sources[0].began.wait(10)
    answer = pool.submit(other.read)
    first.gone.set()  # it is pulling now, and goes on to, since the other one waits
    feed(sources[0], "Hello", None)
    assert answer.result(10) == "Hello"
    reading.result(10)
    first.leave()
    assert sources[0].closed == 0
    other.leave()


def test_a_stream_whose_reader_stopped_is_pulled_by_another(flights: Flights, sources: list[Source]) -> None:
    first, other = Caller(flights, sources), Caller(flights, sources)
    feed(sources[0], "Hel", "lo", None)
    next(first.flight.pieces(first.call))
    first.leave()
    assert other.read() == "Hello"
    other.leave()


def test_once_all_have_hung_up_the_answer_is_given_up_and_the_next_one_asks_anew(
    flights: Flights, sources: list[Source]
) -> None:
    first = Caller(flights, sources)
    first.gone.set()
    with pytest.raises(CallerGone):
        first.read()
    late = Caller(flights, sources)
    assert (late.is_late, len(sources)) == (False, 2)
    feed(sources[1], None)
    assert late.read() == ""
    first.leave()
    late.leave()


def test_an_error_is_everybodys(flights: Flights, sources: list[Source]) -> None:
    callers = [Caller(flights, sources) for _ in range(3)]
    feed(sources[0], "Hel", EngineError("failed"))
    for caller in callers:
        with pytest.raises(EngineError, match="failed"):
            caller.read()
        caller.leave()


def test_a_defect_is_raised_once_and_the_others_do_not_wait_for_ever(
    flights: Flights, sources: list[Source]
) -> None:
    callers = [Caller(flights, sources) for _ in range(2)]
    feed(sources[0], ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        callers[0].read()
    with pytest.raises(Exception, match="internal error"):
        callers[1].read()
    for caller in callers:
        caller.leave()


def test_one_who_waits_for_the_others_piece_may_hang_up(
    flights: Flights, sources: list[Source], pool: ThreadPoolExecutor
) -> None:
    first, other = Caller(flights, sources), Caller(flights, sources)
    reading = pool.submit(first.read)
    sources[0].began.wait(10)
    waiting = pool.submit(other.read)
    other.gone.set()
    with pytest.raises(CallerGone):
        waiting.result(10)
    feed(sources[0], "Hello", None)
    assert reading.result(10) == "Hello"
    first.leave()
    other.leave()


def test_a_finished_answer_is_nobodys_to_join(flights: Flights, sources: list[Source]) -> None:
    first = Caller(flights, sources)
    feed(sources[0], None)
    first.read()
    late: Any = Caller(flights, sources)
    assert (late.is_late, isinstance(late.flight, Flight), len(sources)) == (False, True, 2)
    feed(sources[1], None)
    late.read()
    first.leave()
    late.leave()
