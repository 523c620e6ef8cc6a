"""The way of a request for text, top to bottom.

    (authenticate, request limits: app.py) -> (validate: a route's own module)
    -> route -> kept answers -> admission -> breaker, slot, gate and engine -> response

The log line, the metrics and the settling of tokens come after, when the last
byte is out (`record.py`). The steps behind admission are one, since a model that
fails hands on to the next one (`chain.py`) and an answer that a restart cuts
passes gate and engine again (`carry_on.py`). No step knows the one after the
next; this page is where they are joined.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from flask import Response

from ia0_daemon.engine.client import runner_options
from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.gateway import respond
from ia0_daemon.gateway.answer_cache import cache_key
from ia0_daemon.gateway.chain import ChainAnswer, Journey
from ia0_daemon.gateway.guards import context_of, is_context_full
from ia0_daemon.gateway.wanted import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ia0_daemon.engine.client import Question
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.operation import Visit
    from ia0_daemon.gateway.routing import Route
    from ia0_daemon.gateway.wanted import Shape, Wanted

_keep = msgspec.msgpack.Encoder().encode
_kept = msgspec.msgpack.Decoder(Result).decode


@dataclass(frozen=True, slots=True)
class Source:
    """Where an answer comes from: the engine, others' request, or what was kept."""

    pieces: Iterator[list[ChatLine]]
    result: Callable[[], Result]
    """The whole answer, once all pieces have come."""


def answer(visit: Visit, wanted: Wanted, shape: Shape) -> Response:
    """Answer one request; raises the errors of `errors.py`."""
    live, call = visit.live, visit.call
    route = live.router.route(wanted, visit.key)
    call.model, call.requested_model = route.chain[0].name, wanted.model or ""
    call.stream, call.reason, call.prompt_chars = wanted.stream, route.reason, wanted.chars()
    source = _source(visit, wanted, route)
    return (_stream if wanted.stream else _whole)(visit, wanted, shape, source)


def _source(visit: Visit, wanted: Wanted, route: Route) -> Source:
    key = _cache_key(visit, wanted, route)
    result = None if key is None else _kept_result(visit, key)
    if result is not None:
        return _from_kept(visit, result)
    visit.service.admission.enter(visit.call.resources, visit.live.settings.server.max_in_flight)
    return _fresh(visit, wanted, route) if key is None else _shared(visit, wanted, route, key)


def _fresh(visit: Visit, wanted: Wanted, route: Route) -> Source:
    source = ChainAnswer(Journey(visit.service, visit.live, wanted, route.chain, visit.key, visit.call))
    visit.call.resources.callback(source.close)
    return Source(source.pieces(), source.result)


def _kept_result(visit: Visit, key: bytes) -> Result | None:
    kept = visit.service.cache.get(key)
    try:
        return None if kept is None else _kept(kept)
    except msgspec.DecodeError:  # a store that is shared may hold what no daemon has written
        return None


def _keep_result(visit: Visit, key: bytes, result: Result) -> None:
    # A tool's arguments may hold numbers of more than 64 bits, which no kept form has.
    with suppress(OverflowError):
        visit.service.cache.put(key, _keep(result))


def _from_kept(visit: Visit, result: Result) -> Source:
    visit.call.cached, visit.call.pays = True, False
    line = ChatLine(
        message=Delta(result.text, result.thinking, result.tool_calls),
        response=result.text,
        thinking=result.thinking,
        logprobs=result.logprobs,
    )
    return Source(iter([[line]] if line.brings else []), lambda: result)


def _shared(visit: Visit, wanted: Wanted, route: Route, key: bytes) -> Source:
    """Ask the engine, once for all equal requests at this time; what comes is kept."""
    service, call = visit.service, visit.call

    def begin(slip: Call) -> ChainAnswer:
        return ChainAnswer(Journey(service, visit.live, wanted, route.chain, visit.key, slip))

    # Streamed or not, and whether it may go on from a part: each deals with a cut in its own way.
    how = bytes([wanted.stream, wanted.stream and wanted.may_resume])
    flight, call.cached = service.flights.join(key + how, call, begin)
    call.pays = not call.cached

    def result() -> Result:
        found = flight.answer.result()
        call.pays = flight.is_paid_by(call)
        if call.pays and not (call.passed_over or call.truncated or call.resumed):
            _keep_result(visit, key, found)
        return found

    def pieces() -> Iterator[list[ChatLine]]:
        try:
            for lines in flight.pieces(call):
                call.note_journey(flight.call)  # a stream's head tells it: who was passed over, what was cut
                yield lines
        finally:
            call.note_journey(flight.call)
            if not wanted.stream:
                call.pieces = flight.call.pieces

    return Source(pieces(), result)


def _cache_key(visit: Visit, wanted: Wanted, route: Route) -> bytes | None:
    """Give what an answer is kept under; none where it is not to be kept."""
    live, model = visit.live, route.chain[0]
    may_keep = wanted.is_determined if wanted.cache is None else wanted.cache
    digest = live.watch.digest(model.tag)
    if not (live.settings.cache.enabled and may_keep and digest):
        return None
    question = Journey(visit.service, live, wanted, route.chain, visit.key, visit.call).question(model)
    # Who may fall back to which models is a part of it: only who may have an answer shares it.
    chain = [each.name for each in route.chain]
    return cache_key(digest, question.path, {**_asked(question), "chain": chain, "truncate": wanted.truncate})


def _asked(question: Question) -> dict[str, object]:
    options = question.options | runner_options(question.model)
    return {"messages": question.messages, "options": options, **question.fields}


def _whole(visit: Visit, wanted: Wanted, shape: Shape, source: Source) -> Response:
    call = visit.call
    for _ in source.pieces:
        pass
    result = _finish(visit, wanted, source)
    response = Response(shape.whole(call, result), mimetype="application/json")
    response.headers.extend(respond.headers(call))
    return response


def _stream(visit: Visit, wanted: Wanted, shape: Shape, source: Source) -> Response:
    """Wait for the first piece, so that what fails before it still gets a status of its own."""
    first = next(source.pieces, None)
    visit.call.note_first_token()
    body = respond.stream(visit.call, shape, first, source.pieces, lambda: _finish(visit, wanted, source))
    response = Response(body, mimetype=shape.stream_type)
    response.headers.extend(respond.headers(visit.call) | respond.STREAM_HEADERS)
    return response


def _finish(visit: Visit, wanted: Wanted, source: Source) -> Result:
    """Take the figures of a complete answer."""
    live, call, result = visit.live, visit.call, source.result()
    call.note_result(result)
    model = live.catalog.named(call.model)
    loaded = live.watch.loaded(model.tag)
    if result.done_reason == "length":
        context = context_of(model, loaded.context_length if loaded is not None else 0)
        bound = wanted.options["num_predict"]
        call.context_full = is_context_full(result.prompt_tokens, result.completion_tokens, context, bound)
    if call.pays and not (call.truncated or call.resumed):
        visit.service.prompt_rates.note(call.model, call.prompt_chars, result.prompt_tokens)
    if live.settings.log.prompts:
        call.texts = {"prompt": wanted.text(), "system": wanted.system(), "text": result.text}
    return result
