"""One answer by the first model of a chain that can give it.

    for each model: breaker -> slot -> (gate, engine: carry_on.py) -> its first piece, or the next model

A stream that has begun stays with its model: two models' texts make no answer.
What is not streamed has been seen by nobody before it is whole, so it falls back
as long as it is not. Owns that decision, and the seat in the model's queue.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ia0_daemon.errors import (
    AnswerAborted,
    ContextLengthExceeded,
    EngineAbsent,
    EngineError,
    EngineInterrupted,
    EngineTimeout,
    ModelUnavailable,
    ServiceError,
)
from ia0_daemon.gateway.carry_on import LastingAnswer
from ia0_daemon.gateway.fit import MOST_CUTS, shortened
from ia0_daemon.gateway.form import check_form
from ia0_daemon.gateway.prompt_care import question_of
from ia0_daemon.gateway.slots import Place
from ia0_daemon.gateway.tries import Endurance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ia0_daemon.engine.client import Question
    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.service import Live, Service
    from ia0_daemon.gateway.wanted import Result, Wanted
    from ia0_daemon.settings.schema import ApiKey, Model

log = logging.getLogger(__name__)

# What says that this model does not answer, where another one might.
FAILURES = (EngineError, ModelUnavailable, EngineTimeout)


@dataclass(frozen=True, slots=True)
class Journey:
    """Everything that the way to the engine needs to know of a request."""

    service: Service
    live: Live
    wanted: Wanted
    chain: tuple[Model, ...]
    key: ApiKey | None
    call: Call

    def question(self, model: Model) -> Question:
        """Give what is asked of one of the models."""
        return question_of(self.wanted, model, self.key, self.call.request_id)


class ChainAnswer:
    """An answer by one of several models. Close it: it frees engine, gate and slot."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._held = ExitStack()
        self._answer: LastingAnswer | None = None
        self._pieces: Iterator[list[ChatLine]] = iter(())
        self._is_judged = False
        """Whether the model's breaker knows how the answer ended."""

    def pieces(self) -> Iterator[list[ChatLine]]:
        """Give what comes, of the first model that answers. Raises its error where it is the last one."""
        yield from self._begin()
        if not self._is_judged:
            yield from self._rest()
        self.close()  # who reads slowly need not hold a slot for it

    def result(self) -> Result:
        """Give the whole answer, once all pieces have come."""
        if self._answer is None:
            raise EngineError("no model was asked")
        return self._answer.result()

    def close(self) -> None:
        """Free what the engine's side holds."""
        self._held.close()

    def _begin(self) -> list[list[ChatLine]]:
        """Give what is there when a model has shown that it answers."""
        *others, last = self._journey.chain
        for model in others:
            try:
                return self._first_of(model)
            except FAILURES as error:
                if isinstance(error, EngineAbsent):
                    raise  # the other models are no more there than this one
                self._pass_over(model, error)
        return self._first_of(last)

    def _first_of(self, model: Model) -> list[list[ChatLine]]:
        journey = self._journey
        with allowed(journey.service, model, journey.call):
            found = self._ask_fitting(model)
        if self._answer is not None and self._answer.last is not None:
            self._is_judged = True
            journey.service.breakers.succeeded(model.name)
        else:
            journey.service.breakers.began(model.name)
        return found

    def _rest(self) -> Iterator[list[ChatLine]]:
        """Give what comes after the first piece of a stream, and have the breaker told how it ended.

        Nothing is told where it is left in the middle: that may be found out late, and by any thread.
        """
        service, call = self._journey.service, self._journey.call
        try:
            yield from self._pieces
        except FAILURES as error:
            _tell_failure(service, call.model, call, error)
            raise
        service.breakers.succeeded(call.model)

    def _ask_fitting(self, model: Model) -> list[list[ChatLine]]:
        """Ask; where the prompt does not fit and may be shortened, ask with less."""
        question = self._journey.question(model)
        self._journey.call.truncated = {}  # what did not fit another model's context may fit this one's
        for _ in range(MOST_CUTS):
            try:
                return self._ask(model, question)
            except ContextLengthExceeded as refusal:
                question = self._shorter(question, refusal)
        return self._ask(model, question)

    def _shorter(self, question: Question, refusal: ContextLengthExceeded) -> Question:
        """Give the question with less; raises the refusal where there is none, or it was not allowed."""
        shorter = shortened(question, refusal) if self._journey.wanted.truncate else None
        if shorter is None:
            raise refusal
        self._journey.call.truncated = self._journey.call.truncated or refusal.figures()
        return shorter

    def _ask(self, model: Model, question: Question) -> list[list[ChatLine]]:
        """Take a slot and ask; give the first piece, or all of an answer that is not streamed."""
        self._held.close()
        journey, gate = self._journey, self._journey.service.gate
        call = journey.call
        call.model, call.first_token_at = model.name, None
        with ExitStack() as held:
            place = place_of(journey.live, model, journey.key)
            call.slot_s += journey.service.slots.take(held, place, call.caller_gone, gate.is_closed)
            call.was_loaded = journey.live.watch.is_loaded(model.tag)
            endurance = endurance_of(journey.service, journey.live)
            answer = LastingAnswer(journey.live.client, gate, question, call, endurance)
            held.callback(answer.close)
            answer.begin()
            pieces = answer.pieces()
            first = next(pieces, None)
            found = [] if first is None else [first]
            if found:
                call.note_first_token()
                _hold_form(question, found[0])
            if not journey.wanted.stream:
                found += pieces
            answer_ended = answer.last is not None
            self._answer, self._pieces, self._held = answer, pieces, held.pop_all()
        if answer_ended:
            self.close()
        return found

    def _pass_over(self, model: Model, error: ServiceError) -> None:
        call = self._journey.call
        call.passed_over.append(model.name)
        self._journey.service.metrics.fallbacks.labels(model.name, error.code).inc()
        log.warning(
            "a model is passed over",
            extra={
                "event": "fallback",
                "model": model.name,
                "code": error.code,
                "error": error.message,
                "request_id": call.request_id,
            },
        )


def _hold_form(question: Question, first: list[ChatLine]) -> None:
    """Hold the first piece of an answer that is to be JSON to that."""
    if form := question.fields.get("format"):
        check_form(form, "".join([line.text for line in first]))


def place_of(live: Live, model: Model, key: ApiKey | None) -> Place:
    """Give where a request of this key waits for a model."""
    settings = live.settings
    return Place(
        model=model.name,
        key=key.name if key is not None else "",
        slots=model.parallel or settings.engine.parallel,
        max_queue=settings.admission.max_queue,
        timeout_s=settings.admission.queue_timeout_s,
    )


def endurance_of(service: Service, live: Live) -> Endurance:
    """Give how far a request goes for its answer."""
    restart = live.settings.restart
    return Endurance(restart.max_resumes, restart.max_wait_s, service.is_hopeful, service.nudge)


@contextmanager
def judged(service: Service, model: Model, call: Call) -> Iterator[None]:
    """Ask a model in this block, and have its breaker told what came of it.

    Raises `ModelUnavailable` where the breaker does not allow it.
    """
    with allowed(service, model, call):
        yield
    service.breakers.succeeded(model.name)


@contextmanager
def allowed(service: Service, model: Model, call: Call) -> Iterator[None]:
    """Do the same but for the success, which is the caller's to tell."""
    breakers = service.breakers
    if not breakers.allows(model.name):
        raise _is_open(model, breakers.retry_after_s(model.name))
    try:
        yield
    except FAILURES as error:
        _tell_failure(service, model.name, call, error)
        raise
    except BaseException:
        breakers.gave_up(model.name)  # what ended it says nothing of the model
        raise


def _tell_failure(service: Service, model: str, call: Call, error: ServiceError) -> None:
    """Tell a model's breaker what an error says of the model."""
    breakers = service.breakers
    if isinstance(error, AnswerAborted):
        breakers.gave_up(model)  # else anybody could have a model closed to all by what is asked of it
    elif not isinstance(error, EngineInterrupted):
        breakers.failed(model)
    elif isinstance(error, EngineAbsent) or service.gate.is_closed():
        breakers.gave_up(model)  # the engine itself is not there, or is being restarted
    else:
        breakers.failed(model, call.asked_at)


def _is_open(model: Model, retry_after_s: int) -> ModelUnavailable:
    """Make the error for a model whose breaker is open."""
    return ModelUnavailable(
        f"{model.name!r} has failed too often in a row and is not asked for now "
        "(routing.breaker_failures, routing.breaker_open_s)",
        retry_after_s=retry_after_s,
        model=model.name,
        breaker="open",
    )
