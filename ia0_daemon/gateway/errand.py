"""The way of a request that the engine answers in one piece: vectors for texts.

    route -> admission -> breaker, slot -> gate -> engine -> the body
                                            ^ cut! asked again |

The same rights, bounds and remedies as an answer has (`answer.py`, `chain.py`,
`tries.py`), without what only texts have: nothing is streamed, kept or gone
on with. No other model answers in a failed one's place, and none is chosen by
language: vectors of two models cannot be compared. Owns that way; never knows
what is asked.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec

from ia0_daemon.engine.client import Question
from ia0_daemon.errors import EngineError, EngineInterrupted
from ia0_daemon.gateway.chain import endurance_of, judged, place_of
from ia0_daemon.gateway.tries import Tries
from ia0_daemon.gateway.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ia0_daemon.gateway.operation import Visit
    from ia0_daemon.settings.schema import Model


class _Figures(msgspec.Struct):
    """What is counted of a body; the rest is the route's."""

    prompt_eval_count: int = 0
    load_duration: int = 0
    """Nanoseconds."""


_figures = msgspec.json.Decoder(_Figures).decode


def errand(visit: Visit, model_name: str | None, path: str, fields: Mapping[str, Any]) -> tuple[Model, bytes]:
    """Ask the engine at `path` and give the model that answered, with the whole body.

    `fields` are the body's beside `model` and `keep_alive`; `options` among them
    are joined by the model's own, and `truncate` is false unless they say else.
    Raises the errors of `errors.py`.
    """
    live, call = visit.live, visit.call
    route = live.router.route(Wanted(model_name, [], {}, path=path), visit.key)
    model = route.chain[0]
    call.model, call.requested_model, call.reason = model.name, model_name or "", route.reason
    visit.service.admission.enter(call.resources, live.settings.server.max_in_flight)
    with judged(visit.service, model, call):
        body = _with_slot(visit, model, _question(visit, model, path, fields))
    call.note_first_token()
    found = _figures_of(body)
    call.prompt_tokens = found.prompt_eval_count
    call.load_s = found.load_duration / 1e9
    return model, body


def _question(visit: Visit, model: Model, path: str, fields: Mapping[str, Any]) -> Question:
    rest = {name: value for name, value in fields.items() if name != "options"}
    return Question(
        model,
        [],
        dict(fields.get("options") or {}),
        request_id=visit.call.request_id,
        path=path,
        fields={"stream": False, **rest},
    )


def _with_slot(visit: Visit, model: Model, question: Question) -> bytes:
    service, call = visit.service, visit.call
    with ExitStack() as held:
        place = place_of(visit.live, model, visit.key)
        call.slot_s += service.slots.take(held, place, call.caller_gone, service.gate.is_closed)
        call.was_loaded = visit.live.watch.is_loaded(model.tag)
        tries = Tries(service.gate, call, endurance_of(service, visit.live))
        return _ask(visit, question, tries)


def _ask(visit: Visit, question: Question, tries: Tries) -> bytes:
    """Ask until it is answered; nobody has seen a part of it, so a cut is asked again."""
    outcome = "failed"
    try:
        found = _ask_lasting(visit, question, tries)
        outcome = "asked_again"
    finally:
        tries.settle(outcome)
    return found


def _ask_lasting(visit: Visit, question: Question, tries: Tries) -> bytes:
    call = visit.call

    def ask() -> bytes:
        tries.enter()
        try:
            call.note_asking()
            return visit.live.client.ask_whole(question, call.patience)
        finally:
            tries.leave()

    def ask_again() -> bytes:
        call.asked_again += 1
        return ask()

    try:
        return ask()
    except EngineInterrupted as cut:
        tries.note_cut(cut)
        if not tries.may_go_on():
            raise
        return tries.ask_again(ask_again, cut)


def _figures_of(body: bytes) -> _Figures:
    try:
        return _figures(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"the engine's answer is not what Ollama's API says: {error}") from error
