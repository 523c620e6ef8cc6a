"""The API's description, OpenAPI 3.1, made from the table of routes: `python -m ia0_daemon.gateway.openapi`.

Owns the document's frame: paths, parameters, keys. What a route takes, gives and
means is its row's; what a field means is its struct's. Pure.

    OPERATIONS -> document() -> a dict that JSON can say
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from ia0_daemon import __version__
from ia0_daemon.gateway import error_shapes
from ia0_daemon.gateway.documented import flat
from ia0_daemon.gateway.openapi_answers import HEADERS, answers, sent_errors
from ia0_daemon.gateway.openapi_schemas import Schemas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ia0_daemon.gateway.openapi_schemas import Schema
    from ia0_daemon.gateway.operation import Operation

_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_NOT_A_WORD = re.compile(r"[^A-Za-z0-9]+")
_KEYS = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "A key, as `Authorization: Bearer KEY`."},
    "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
}
_ABOUT = """\
A gateway and supervisor beside Ollama that loses no request. `/llm` is its own API; `/v1` is for OpenAI's \
clients and `/api` for Ollama's. Where keys are configured, a request presents one; without any the API is \
open, which the daemon allows on loopback alone.

## Errors

Every error says what is wrong, which rule it breaks and where to change it. Its code is one of these; the \
last column is how OpenAI's clients know it:

| code | status | meaning | below `/v1` |
| --- | --- | --- | --- |
"""


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Give the whole description of these routes."""
    named = [
        kind for row in operations for kind in (row.takes, row.gives, *row.stream_gives, row.stream_fails)
    ]
    schemas = Schemas.of([*named, *(shape.kind for shape in error_shapes.SHAPES)])
    _name_codes(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for row in operations:
        paths.setdefault(path_of(row), {})[row.method.lower()] = _operation(row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "IA-0",
            "version": __version__,
            "summary": "A local LLM service that loses no request.",
            "description": _about(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This daemon."}],
        "tags": [{"name": tag} for tag in dict.fromkeys(row.tag for row in operations)],
        "security": [{name: []} for name in _KEYS],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "headers": HEADERS,
            "parameters": {"X-Request-ID": _request_id()},
            "securitySchemes": _KEYS,
        },
    }


def path_of(row: Operation) -> str:
    """Give a path as OpenAPI writes it: `/v1/models/{model}`."""
    return _VARIABLE.sub(r"{\1}", row.path)


def _operation(row: Operation, schemas: Schemas) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": _NOT_A_WORD.sub("_", f"{row.method.lower()}{path_of(row)}").strip("_"),
        "summary": row.summary,
        "tags": [row.tag],
        "parameters": [
            *({**_variable(name)} for name in _VARIABLE.findall(row.path)),
            {"$ref": "#/components/parameters/X-Request-ID"},
        ],
        "responses": answers(row, schemas),
    }
    if row.description:
        said["description"] = flat(row.description)
    if row.is_admin:
        said["description"] = f"{said.get('description', '')} It needs an administrator's key.".strip()
    if row.is_open:
        said["security"] = []
    if row.takes is not None:
        said["requestBody"] = _body(row, schemas)
    return said


def _variable(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"The {name.replace('_', ' ')} that is meant.",
        "schema": {"type": "string", "minLength": 1},
    }


def _request_id() -> dict[str, Any]:
    return {
        "name": "X-Request-ID",
        "in": "header",
        "description": "An id for this request, which its answer and the log then bear.",
        "schema": HEADERS["X-Request-ID"]["schema"],
    }


def _body(row: Operation, schemas: Schemas) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": schemas.schema(row.takes)}
    if row.examples:
        shown = enumerate(row.examples, start=1)
        media["examples"] = {f"example-{number}": {"value": example} for number, example in shown}
    return {"required": True, "content": {row.takes_type: media}}


def _name_codes(schemas: Schemas) -> None:
    """Say in the schema of each error which codes there are."""
    for shape in error_shapes.SHAPES:
        place = schemas.components[schemas.refs[shape.kind]["$ref"].rpartition("/")[2]]
        for step in shape.place:
            place = _behind(place["properties"][step], schemas)
        place["enum"] = [shape.code(code) for code in sent_errors()]


def _behind(schema: Schema, schemas: Schemas) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas.components[name] if name else schema


def _about() -> str:
    kinds = sorted(sent_errors().items(), key=lambda item: (item[1].status, item[0]))
    rows = [
        f"| `{code}` | {kind.status} | {flat(kind.__doc__ or '')} | `{error_shapes.openai_code(code)}` |"
        for code, kind in kinds
    ]
    return _ABOUT + "\n".join(rows)


def main() -> None:
    """Print the document."""
    # Here and not above: the table has a row for the document itself.
    from ia0_daemon.gateway.routes import OPERATIONS

    text = msgspec.json.format(msgspec.json.encode(document(OPERATIONS)), indent=2)
    sys.stdout.buffer.write(text + b"\n")


if __name__ == "__main__":
    main()
