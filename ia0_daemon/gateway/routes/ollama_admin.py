"""What changes the engine's models: pull, push, create, copy, delete, blobs. For administrators alone.

    key with admin -> a seat, a word to the supervisor -> the engine -> its answer as it comes

Names here are the engine's own: a model that is pulled need not be configured.
They pass no gate, since a pull may take hours and a restart would wait for it; a
restart is not begun while one is under way (`pulls.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from ia0_daemon.errors import EngineError, EngineTimeout, NotFound
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.routes.ollama_answers import BLOB, Progress
from ia0_daemon.gateway.routes.ollama_relay import hand_through, relay_of
from ia0_daemon.gateway.wanted import NDJSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Request, Response

# How much of a blob is in memory at once, in bytes.
PIECE_BYTES = 64 * 1024


class NamedModel(msgspec.Struct, frozen=True):
    """The body of pull, push, create and delete; the engine knows more fields and checks them itself."""

    model: str


class CopyRequest(msgspec.Struct, frozen=True):
    """The body of `POST /api/copy`."""

    source: str
    destination: str


def transfer(visit: Visit) -> Response:
    """Hand a transfer through; the supervisor restarts nothing while it goes on."""
    visit.service.pulls.begin(visit.call.resources)
    return change(visit)


def change(visit: Visit) -> Response:
    """Hand a change through. Its path was unquoted for us: what a digest may bear is quoted again."""
    http, call = visit.http, visit.call
    visit.service.admission.enter(call.resources, visit.live.settings.server.max_in_flight)
    call.resources.callback(visit.live.watch.look_soon)
    size = http.content_length or 0
    path = quote(http.path, safe="/:")
    relayed = relay_of(visit).ask(http.method, path, call.patience, body=_pieces(http), size=size)
    return hand_through(visit, relayed)


def look(visit: Visit) -> Response:
    """Ask whether a blob is there."""
    relayed = relay_of(visit).ask("HEAD", quote(visit.http.path, safe="/:"), visit.call.patience)
    return hand_through(visit, relayed)


def blob(visit: Visit) -> Response:
    """Answer `/api/blobs/<digest>`: look, or bring."""
    return look(visit) if visit.http.method == "HEAD" else transfer(visit)


def _pieces(http: Request) -> Iterator[bytes]:
    while piece := http.stream.read(PIECE_BYTES):
        yield piece


def _row(
    path: str,
    handle: Callable[[Visit], Response],
    summary: str,
    method: str = "POST",
    **more: Any,
) -> Operation:
    tag = "Ollama, for administrators"
    errors = (EngineError, EngineTimeout, NotFound)
    more |= {"is_limited": True, "is_admin": True, "is_relayed": True}
    return Operation(method, path, handle, summary, tag, errors=errors, **more)


_TRANSFER: dict[str, Any] = {
    "takes": NamedModel,
    "gives": Progress,
    "streams": NDJSON,
    "stream_gives": (Progress,),
}

OPERATIONS = (
    _row(
        "/api/pull", transfer, "Bring a model to the engine.", examples=({"model": "qwen2:7b"},), **_TRANSFER
    ),
    _row("/api/push", transfer, "Send a model to a registry.", examples=({"model": "me/mine"},), **_TRANSFER),
    _row(
        "/api/create",
        transfer,
        "Make a model of another, or of blobs.",
        examples=({"model": "mine", "from": "qwen2:7b", "system": "Be brief."},),
        **_TRANSFER,
    ),
    _row(
        "/api/copy",
        change,
        "Give a model a second name.",
        takes=CopyRequest,
        gives_type="",
        examples=({"source": "qwen2:7b", "destination": "mine"},),
    ),
    _row(
        "/api/delete",
        change,
        "Remove a model from the engine.",
        "DELETE",
        takes=NamedModel,
        gives_type="",
        examples=({"model": "mine"},),
    ),
    _row("/api/blobs/<digest>", blob, "Ask whether the engine has a blob.", "HEAD", gives_type=""),
    _row(
        "/api/blobs/<digest>",
        blob,
        "Bring a blob, of `server.max_body_bytes` at most.",
        takes=BLOB,
        takes_type="application/octet-stream",
        gives_type="",
        statuses=(200, 201),
    ),
)
