"""Which models an application can ask for, and how each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from ia0_daemon.gateway.health import model_state
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import encode

if TYPE_CHECKING:
    from ia0_daemon.gateway.service import Live
    from ia0_daemon.settings.schema import Model


def listing(live: Live) -> dict[str, Any]:
    """Give the body of `GET /models`."""
    return {
        "models": [_entry(live, model) for model in live.catalog.models],
        "default": live.catalog.default.name,
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
    return Response(encode(listing(visit.live)), mimetype="application/json")


OPERATIONS = (
    Operation(
        method="GET",
        path="/models",
        handle=models,
        summary="List the models that may be asked for, and how each is.",
        tag="IA-0",
    ),
)
