"""What Ollama's clients ask of models: `/api/tags`, `/api/ps`, `/api/show`; and `/api/version`, `/`.

    the engine's own answer -> the configured models that the key may use -> under names that may be asked for

An alias stands in the list as a copy of a model does in Ollama's: another name,
the same digest. So does the engine's tag, for clients that ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from flask import Response

from ia0_daemon.engine.watch import full_name
from ia0_daemon.errors import (
    EngineError,
    EngineTimeout,
    Forbidden,
    InvalidRequest,
    ModelNotFound,
    ModelUnavailable,
    Overloaded,
)
from ia0_daemon.gateway.body import BodyReader
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routes.ollama_answers import SHOWN, ModelList, Version
from ia0_daemon.gateway.routes.ollama_fields import check_body_kind
from ia0_daemon.gateway.routes.ollama_relay import (
    ask_shortly,
    merged,
    read_answer,
    refuse_unless_done,
)
from ia0_daemon.gateway.routing import may_use

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import Model

ALIVE = "Ollama is running"


class _Listed(msgspec.Struct):
    """The engine's lists; the entries are its own."""

    models: list[dict[str, Any]] | None = None


class ShowRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /api/show`."""

    model: str | None = None
    name: str | None = None
    """The older word for `model`."""
    verbose: bool | None = None
    """Whether long lists, such as the vocabulary, are whole."""


_show_reader = BodyReader(ShowRequest)


def tags(visit: Visit) -> Response:
    """Answer `/api/tags`: every name that may be asked for, of models that the engine has."""
    there = _by_name(visit, "/api/tags")
    return _json(
        {
            "models": [
                merged(entry, name)
                for model in _permitted(visit)
                if (entry := there.get(full_name(model.tag))) is not None
                for name in dict.fromkeys((model.name, *model.aliases, model.tag))
            ]
        }
    )


def ps(visit: Visit) -> Response:
    """Answer `/api/ps`: the loaded ones among them, under their public names."""
    there = _by_name(visit, "/api/ps")
    models = {model.name: full_name(model.tag) for model in _permitted(visit)}
    return _json({"models": [merged(there[tag], name) for name, tag in models.items() if tag in there]})


def show(visit: Visit) -> Response:
    """Answer `/api/show`: what the engine says of one model."""
    check_body_kind(visit.http)
    request = _show_reader.read(visit.http.get_data(cache=False))
    name = request.model or request.name
    if not name:
        raise InvalidRequest("model: it is missing", field="model", rule="it is required")
    model = visit.live.router.permitted(name, visit.key)
    visit.call.model, visit.call.requested_model = model.name, name
    body = encode({"model": model.tag, "verbose": bool(request.verbose)})
    found = ask_shortly(visit, "POST", "/api/show", body)
    refuse_unless_done(found, model.tag)
    return Response(found.data, mimetype="application/json")


def version(visit: Visit) -> Response:
    """Answer `/api/version` with the engine's, which is what clients look at."""
    state = visit.live.watch.state
    if not state.version:
        raise EngineError(f"the engine does not answer: {state.error}")
    return _json({"version": state.version})


def alive(_visit: Visit) -> Response:
    """Answer `/`, where clients look whether anybody is there."""
    return Response(ALIVE, mimetype="text/plain")


def _permitted(visit: Visit) -> list[Model]:
    return [model for model in visit.live.catalog.models if may_use(visit.key, model)]


def _by_name(visit: Visit, path: str) -> dict[str, dict[str, Any]]:
    listed = read_answer(visit, path, _Listed).models or []
    return {full_name(str(entry.get("name", ""))): entry for entry in listed}


def _json(said: dict[str, Any]) -> Response:
    return Response(encode(said), mimetype="application/json")


# What asking the engine for what it knows can end with.
_ASKING = (EngineError, ModelUnavailable, EngineTimeout, Overloaded)

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/tags",
        handle=tags,
        summary="List the names that may be asked for, as Ollama does.",
        tag="Ollama",
        gives=ModelList,
        is_limited=True,
        errors=_ASKING,
    ),
    Operation(
        method="GET",
        path="/api/ps",
        handle=ps,
        summary="List the models that are loaded.",
        tag="Ollama",
        gives=ModelList,
        is_limited=True,
        errors=_ASKING,
    ),
    Operation(
        method="POST",
        path="/api/show",
        handle=show,
        summary="Tell what a model is.",
        tag="Ollama",
        takes=ShowRequest,
        gives=SHOWN,
        is_limited=True,
        errors=(*_ASKING, ModelNotFound, Forbidden),
        examples=({"model": "qwen2-7b"},),
    ),
    Operation(
        method="GET",
        path="/api/version",
        handle=version,
        summary="Tell the engine's version.",
        tag="Ollama",
        gives=Version,
        errors=(EngineError,),
    ),
    Operation(
        method="GET",
        path="/",
        handle=alive,
        summary="Say that somebody is there, as Ollama does.",
        tag="Ollama",
        gives={"const": ALIVE},
        gives_type="text/plain",
        is_open=True,
    ),
)
