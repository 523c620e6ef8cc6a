"""`GET /v1/models`: the names that a key may ask for, as OpenAI's SDKs list them.

Public names and aliases are entries of their own, since an SDK can ask by each.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from flask import Response

from ia0_daemon.errors import Forbidden, ModelNotFound
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routing import may_use

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import Model


class ModelEntry(msgspec.Struct):
    """One name."""

    id: str
    created: int
    """When this daemon started, in seconds since 1970: nobody knows when a model was made."""
    root: str
    """The public name of the model that the name stands for."""
    object: str = "model"
    owned_by: str = "ia0"


class ModelList(msgspec.Struct):
    """All names."""

    data: list[ModelEntry]
    object: str = "list"


def models(visit: Visit) -> Response:
    """Answer `GET /v1/models`."""
    names = [
        _entry(visit, name, model)
        for model in visit.live.catalog.models
        if may_use(visit.key, model)
        for name in (model.name, *model.aliases)
    ]
    return _json(ModelList(names))


def model(visit: Visit) -> Response:
    """Answer `GET /v1/models/{model}`. Raises `ModelNotFound` and `Forbidden`."""
    name = visit.args["model"]
    return _json(_entry(visit, name, visit.live.router.permitted(name, visit.key)))


def _entry(visit: Visit, name: str, model: Model) -> ModelEntry:
    age_s = time.monotonic() - visit.service.started
    return ModelEntry(name, int(time.time() - age_s), model.name)


def _json(value: msgspec.Struct) -> Response:
    return Response(encode(value), mimetype="application/json")


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/models",
        handle=models,
        summary="List the names of models, as OpenAI does.",
        tag="OpenAI",
        gives=ModelList,
    ),
    Operation(
        method="GET",
        path="/v1/models/<path:model>",
        handle=model,
        summary="Tell one name of a model, as OpenAI does.",
        tag="OpenAI",
        gives=ModelEntry,
        errors=(ModelNotFound, Forbidden),
    ),
)
