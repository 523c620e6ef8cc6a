"""What an operation may answer, as the API's description says it: its own answers, streams, errors, headers.

Owns which errors a route can meet by what its row says of it. Pure; knows no route by name.

    a row -> {status: description, headers, content}
"""

from __future__ import annotations

from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ia0_daemon import errors
from ia0_daemon.errors import ServiceError
from ia0_daemon.gateway.documented import flat
from ia0_daemon.gateway.error_shapes import ErrorShape, shape_of
from ia0_daemon.gateway.wanted import NDJSON, SSE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ia0_daemon.gateway.openapi_schemas import Schema, Schemas
    from ia0_daemon.gateway.operation import Operation

Kind = type[ServiceError]

# What the listener, the request's id and a defect can end any request with.
_ALWAYS: tuple[Kind, ...] = (
    errors.InvalidRequest,
    errors.RequestTimeout,
    errors.PayloadTooLarge,
    errors.InternalError,
    errors.Overloaded,
)
_WITH_BODY: tuple[Kind, ...] = (errors.UnsupportedMediaType,)
# What whoever asks a model for work can meet.
_ASKING: tuple[Kind, ...] = (
    errors.ContextLengthExceeded,
    errors.Forbidden,
    errors.ModelNotFound,
    errors.RateLimited,
    errors.EngineError,
    errors.ModelUnavailable,
    errors.EngineRestarting,
    errors.EngineTimeout,
)
# How messages stand in a stream.
_FRAMES = {
    SSE: "Server-sent events; the `data` of each is JSON.",
    NDJSON: "Lines, each of them JSON.",
}
# It stands in the log alone: nobody is there to read it.
_NEVER_SENT = {errors.CallerGone}
_SAYS_WHEN = {429, 503}

RATE_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy")
ANSWER_HEADERS = ("X-IA0-Model", "X-IA0-Route", "X-IA0-Cached", "X-IA0-Passed-Over", "X-IA0-Truncated")

_NUMBER, _TEXT = {"type": "integer", "minimum": 0}, {"type": "string"}
HEADERS: dict[str, Schema] = {
    "X-Request-ID": {
        "description": "The request's id: the one that it bore, or one that was made for it. The log has it.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/+=@-]{1,128}$"},
    },
    "X-IA0-Model": {"description": "The public name of the model that answers.", "schema": _TEXT},
    "X-IA0-Route": {
        "description": "Why this model: `named`, `language:` and a language, or `default`.",
        "schema": _TEXT,
    },
    "X-IA0-Cached": {
        "description": "The answer was kept from an equal request, or is shared with one at the same time.",
        "schema": {"const": "true"},
    },
    "X-IA0-Passed-Over": {"description": "Models that were to answer and could not.", "schema": _TEXT},
    "X-IA0-Truncated": {
        "description": "The prompt was shortened: its tokens, and those that the context holds.",
        "schema": _TEXT,
    },
    "RateLimit-Limit": {"description": "The tightest limit of the key.", "schema": _NUMBER},
    "RateLimit-Remaining": {"description": "What is left of it.", "schema": _NUMBER},
    "RateLimit-Reset": {"description": "In how many seconds there is more.", "schema": _NUMBER},
    "RateLimit-Policy": {"description": "All limits of the key, each with its window.", "schema": _TEXT},
    "Retry-After": {"description": "In how many seconds it is worth asking again.", "schema": _NUMBER},
    "WWW-Authenticate": {"description": "How to present a key.", "schema": _TEXT},
}


def sent_errors(kind: Kind = ServiceError) -> dict[str, Kind]:
    """Give every error that is sent, by its code; one without a code of its own is told as its parent."""
    found = {} if kind is ServiceError else {kind.code: kind}
    for child in kind.__subclasses__():
        if child not in _NEVER_SENT:
            found = sent_errors(child) | found
    return found


def errors_of(row: Operation) -> list[Kind]:
    """Give the errors that an operation can be answered with, by status."""
    found = [*_ALWAYS, *row.errors]
    if not row.is_open:
        found.append(errors.Unauthorized)
    if row.is_admin:
        found.append(errors.Forbidden)
    if row.takes is not None and row.takes_type == "application/json":
        found += _WITH_BODY
    if row.is_limited:
        found += _ASKING
    return sorted(dict.fromkeys(found), key=lambda kind: kind.status)


def answers(row: Operation, schemas: Schemas) -> dict[str, Any]:
    """Give the `responses` of an operation."""
    shape = shape_of(row.path)
    said: dict[str, Any] = {}
    for status in row.statuses:
        said[str(status)] = _good(row, status, schemas)
    for status, kinds in groupby(errors_of(row), key=lambda kind: kind.status):
        answer = _refusal(status, list(kinds), shape, schemas)
        said[str(status)] = _either(said[str(status)], answer) if str(status) in said else answer
    return said | ({"default": _relayed(shape, schemas)} if row.is_relayed else {})


def _good(row: Operation, status: int, schemas: Schemas) -> dict[str, Any]:
    content = {row.gives_type: {"schema": schemas.schema(row.gives)}} if row.gives_type else {}
    for kind in (row.streams,) if isinstance(row.streams, str) else row.streams:
        if kind:
            content[kind] = {"schema": _stream(row, kind, schemas)}
    names = [*ANSWER_HEADERS, *RATE_HEADERS] if row.is_limited else []
    return {"description": HTTPStatus(status).phrase, "headers": _headers(names), "content": content}


def _stream(row: Operation, kind: str, schemas: Schemas) -> Schema:
    """OpenAPI 3.1 has no word for a stream's messages; an extension names them.

    No type: some programs take a stream for one text, others for its messages.
    """
    if not row.stream_gives:
        return {"description": "A stream of messages, as they are written."}
    said = _FRAMES[kind]
    if row.stream_end:
        said += f" After the last one, unless it is an error, comes `{row.stream_end}`, which is no JSON."
    kinds = (*row.stream_gives, row.stream_fails or shape_of(row.path).kind)
    return {"description": said, "x-message": {"anyOf": [schemas.schema(each) for each in kinds]}}


def _refusal(status: int, kinds: list[Kind], shape: ErrorShape, schemas: Schemas) -> dict[str, Any]:
    words = " ".join(f"`{shape.code(kind.code)}`: {flat(kind.__doc__ or '')}" for kind in kinds)
    names = ["Retry-After"] if status in _SAYS_WHEN else []
    names += RATE_HEADERS if status == 429 else ()
    names += ["WWW-Authenticate"] if status == 401 else []
    codes = [shape.code(kind.code) for kind in kinds]
    narrowed: Schema = {"enum": codes}
    for step in reversed(shape.place):
        narrowed = {"type": "object", "properties": {step: narrowed}}
    schema: Schema = {"allOf": [schemas.schema(shape.kind), narrowed]}
    return {
        "description": words,
        "headers": _headers(names),
        "content": {"application/json": {"schema": schema}},
        "x-codes": codes,
    }


def _relayed(shape: ErrorShape, schemas: Schemas) -> dict[str, Any]:
    return {
        "description": "What the engine refuses, with its own status and text.",
        "headers": _headers(()),
        "content": {"application/json": {"schema": schemas.schema(shape.kind)}},
    }


def _either(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Join two answers of one status."""
    content = dict(one["content"])
    for kind, media in other["content"].items():
        both = [content[kind]["schema"], media["schema"]] if kind in content else [media["schema"]]
        content[kind] = {"schema": {"anyOf": both} if len(both) > 1 else both[0]}
    words = f"{one['description']}. Or {other['description']}"
    headers = one["headers"] | other["headers"]
    return one | other | {"description": words, "headers": headers, "content": content}


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *names)}
