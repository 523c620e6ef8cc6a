"""Which models an application can ask for, and how each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from flask import Response
from msgspec import UNSET, UnsetType

from ia0_daemon.gateway.health import model_state
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routes.health import State
from ia0_daemon.gateway.routing import may_use

if TYPE_CHECKING:
    from ia0_daemon.gateway.service import Live
    from ia0_daemon.settings.schema import ApiKey, Model


class ModelEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A model that may be asked for."""

    name: str
    """Its public name."""
    aliases: list[str]
    """Other names that it goes by."""
    tag: str
    """Its name in the engine."""
    languages: list[str]
    """Those that it is best at, ISO 639-1."""
    state: State
    """Whether the engine has it loaded, on its disk, or not at all; unknown while it does not answer."""
    num_ctx: int
    """The context that the configuration gives it, in tokens; 0: the engine's own."""
    context_length: int | UnsetType = UNSET
    """The context that it was loaded with, in tokens."""
    size_bytes: int | UnsetType = UNSET
    """Its memory as the engine reported it."""
    size_vram_bytes: int | UnsetType = UNSET
    """The part of it that is on GPUs."""


class Listing(msgspec.Struct, forbid_unknown_fields=True):
    """The models that the key may ask for."""

    models: list[ModelEntry]
    default: str
    """The model that answers where no language is another's."""


def listing(live: Live, key: ApiKey | None) -> dict[str, Any]:
    """Give the body of `GET /models`."""
    return {
        "models": [_entry(live, model) for model in live.catalog.models if may_use(key, model)],
        "default": live.router.default_for(key).name,
    }


def _entry(live: Live, model: Model) -> dict[str, Any]:
    loaded = live.watch.loaded(model.tag)
    entry: dict[str, Any] = {
        "name": model.name,
        "aliases": list(model.aliases),
        "tag": model.tag,
        "languages": list(model.languages),
        "state": model_state(live, model.tag),
        "num_ctx": model.num_ctx,
    }
    if loaded is not None:
        entry["context_length"] = loaded.context_length
        entry["size_bytes"], entry["size_vram_bytes"] = loaded.size, loaded.size_vram
    return entry


def models(visit: Visit) -> Response:
    """Answer `GET /models`."""
    return Response(encode(listing(visit.live, visit.key)), mimetype="application/json")


OPERATIONS = (
    Operation(
        method="GET",
        path="/models",
        handle=models,
        summary="List the models that the key may ask for, and how each is.",
        tag="IA-0",
        gives=Listing,
    ),
)
