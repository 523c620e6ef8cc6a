"""The way of a request that the engine answers in one piece: vectors for texts.

    route -> admission -> breaker, slot -> gate -> engine -> the body
                                            ^ cut! asked again |

The same rights, bounds and remedies as an answer has (`answer.py`, `chain.py`,
`carry_on.py`), without what only texts have: nothing is streamed, kept or gone
on with. No other model answers in a failed one's place, and none is chosen by
language: vectors of two models cannot be compared. Owns that way; never knows
what is asked.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec

from ia0_daemon.engine.client import Question
from ia0_daemon.errors import EngineAbsent, EngineError, EngineInterrupted, ServiceError
from ia0_daemon.gateway import carry_on
from ia0_daemon.gateway.chain import endurance_of, judged, place_of
from ia0_daemon.gateway.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ia0_daemon.gate import Tally
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
        return _LastingErrand(visit, question).body()


class _LastingErrand:
    """One asking that outlives restarts of the engine: nobody has seen a part of it, so it is asked again."""

    def __init__(self, visit: Visit, question: Question) -> None:
        self._client, self._gate = visit.live.client, visit.service.gate
        self._call, self._question = visit.call, question
        self._endurance = endurance_of(visit.service, visit.live)
        self._cuts = 0
        self._pending: Tally | None = None

    def body(self) -> bytes:
        """Ask until it is answered; raises why it was not."""
        outcome = "failed"
        try:
            found = self._ask()
            outcome = "asked_again"
        finally:
            self._settle(outcome)
        return found

    def _ask(self) -> bytes:
        try:
            return self._once()
        except EngineInterrupted as cut:
            self._take_cut(cut)
            return self._ask_again(cut)

    def _ask_again(self, cut: EngineInterrupted) -> bytes:
        """Ask an engine that will be back, in time and as often as is allowed."""
        until = time.monotonic() + self._endurance.max_wait_s
        pause_s = carry_on.FIRST_PAUSE_S
        while self._may_go_on(until):
            self._endurance.nudge()
            self._call.patience.pause(pause_s)
            pause_s = min(pause_s * 2, carry_on.LONGEST_PAUSE_S)
            self._call.asked_again += 1
            try:
                return self._once()
            except EngineInterrupted as again:
                self._take_cut(again)
                cut = again
        raise cut

    def _may_go_on(self, until: float) -> bool:
        is_in_time = self._cuts <= self._endurance.max_resumes and time.monotonic() < until
        return is_in_time and self._endurance.is_hopeful()

    def _once(self) -> bytes:
        """Pass the gate and ask."""
        self._enter()
        try:
            self._call.note_asking()
            return self._client.ask_whole(self._question, self._call.patience)
        finally:
            self._gate.leave()

    def _enter(self) -> None:
        began = time.monotonic()
        try:
            self._call.gate_s += self._gate.enter(self._call.caller_gone, again=self._pending is not None)
        except ServiceError:
            self._call.gate_s += time.monotonic() - began
            raise

    def _take_cut(self, cut: EngineInterrupted) -> None:
        """Count it, and remember that an outcome is owed."""
        self._cuts += not isinstance(cut, EngineAbsent)
        if self._pending is None:
            self._pending = self._gate.note_cut()

    def _settle(self, outcome: str) -> None:
        tally, self._pending = self._pending, None
        if tally is not None:
            self._gate.note_outcome(tally, outcome)


def _figures_of(body: bytes) -> _Figures:
    try:
        return _figures(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"the engine's answer is not what Ollama's API says: {error}") from error
