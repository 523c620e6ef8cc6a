"""Requests of Ollama's that ask for no text: load a model, or have it gone.

    no prompt -> loaded as its answers need it, through gate and slot
    no prompt, keep_alive 0 -> unloaded, by an administrator's word alone

Owns what the two mean here. How long a model stays loaded is the configuration's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from ia0_daemon.errors import Forbidden
from ia0_daemon.gateway import respond
from ia0_daemon.gateway.chain import ChainAnswer, Journey
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routes.ollama_fields import unloads
from ia0_daemon.gateway.routes.ollama_lines import beginning
from ia0_daemon.gateway.routes.ollama_relay import ask_shortly, refuse_unless_done
from ia0_daemon.gateway.wanted import Result, Wanted

if TYPE_CHECKING:
    from ia0_daemon.gateway.operation import Visit
    from ia0_daemon.gateway.routes.ollama_fields import TextRequest
    from ia0_daemon.settings.schema import Model

CHAT_PART: dict[str, Any] = {"message": {"role": "assistant", "content": ""}}
GENERATE_PART: dict[str, Any] = {"response": ""}


def load_or_unload(visit: Visit, request: TextRequest, part: dict[str, Any]) -> Response:
    """Answer a request without a prompt; `part` is where its text would stand."""
    wanted = Wanted(request.model, [], {"num_predict": 1}, may_resume=False, cache=False, is_careful=False)
    route = visit.live.router.route(wanted, visit.key)
    model, call = route.chain[0], visit.call
    call.model, call.requested_model, call.reason = model.name, request.model or "", route.reason
    is_end = unloads(request.keep_alive)
    if is_end:
        _unload(visit, model)
    else:
        _load(visit, model, wanted)
    reason = "unload" if is_end else "load"
    call.note_result(Result("", reason))
    said = {**beginning(call), **part, "done": True, "done_reason": reason}
    return Response(encode(said), mimetype="application/json", headers=respond.headers(call))


def _load(visit: Visit, model: Model, wanted: Wanted) -> None:
    """Ask for nothing, as for an answer: what a restart cuts is asked again. No other model instead."""
    visit.service.admission.enter(visit.call.resources, visit.live.settings.server.max_in_flight)
    answer = ChainAnswer(Journey(visit.service, visit.live, wanted, (model,), visit.key, visit.call))
    visit.call.resources.callback(answer.close)
    for _ in answer.pieces():
        pass
    answer.result()


def _unload(visit: Visit, model: Model) -> None:
    if visit.key is None or not visit.key.admin:
        raise Forbidden(
            "keep_alive: 0 without a prompt unloads the model for everybody, so it needs a key with "
            "admin = true (auth.keys, or `ia0 keys create NAME --admin`)",
            field="keep_alive",
        )
    body = encode({"model": model.tag, "keep_alive": 0})
    refuse_unless_done(ask_shortly(visit, "POST", "/api/generate", body), model.tag)
    visit.live.watch.refresh()
