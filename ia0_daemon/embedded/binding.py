"""Reads a request's JSON as Go does, with Go's error texts.

    bind(body, fields, struct) -> dict

Owns which JSON kind a field must have and how Ollama words a fault. Unknown
fields are ignored, ``null`` means absent, bytes that are no UTF-8 are replaced.
Never knows what a field is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ia0_daemon.embedded.failures import StatusFailure, bad_request

Fields = Mapping[str, str]
"""Field name -> Go type. ``any`` takes every kind; ``[]T`` and ``map[...]`` and ``*T`` as in Go."""

_AT_BYTE = re.compile(r"\(byte (\d+)\)")


def bind(body: bytes, fields: Fields, struct: str) -> dict[str, Any]:
    """The known fields that are given; 400 with Go's text for anything else."""
    if not body.strip():
        raise bad_request("missing request body")
    value = _decoded(body.decode("utf-8", "replace").encode())
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"json: cannot unmarshal {_kind(value)} into Go value of type api.{struct}")
    known = {key.lower(): key for key in fields}
    given = {known[key.lower()]: item for key, item in value.items() if key.lower() in known}
    return {
        key: _checked(item, fields[key], f"{struct}.{key}") for key, item in given.items() if item is not None
    }


def check_object(value: object, fields: Fields, where: str) -> dict[str, Any]:
    """The same for an object inside of a request, such as one message."""
    assert isinstance(value, dict)  # noqa: S101 - the list's type was checked by bind
    return {
        key: _checked(value[key], kind, f"{where}.{key}")
        for key, kind in fields.items()
        if value.get(key) is not None
    }


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        trailing = _AT_BYTE.search(str(error)) if "trailing" in str(error) else None
        if trailing is None:
            raise _syntax_fault(body, str(error)) from error
        # Go decodes the first value and never looks at what follows.
        return _decoded(body[: int(trailing.group(1)) - 1])


def _checked(value: object, kind: str, where: str) -> Any:
    base = kind.removeprefix("*")
    if base == "any" or _fits(value, base):
        if base.startswith("[]"):
            assert isinstance(value, list)  # noqa: S101 - _fits has just said so
            for item in value:
                _checked(item, base[2:], where)
        return value
    raise bad_request(f"json: cannot unmarshal {_kind(value)} into Go struct field {where} of type {base}")


def _fits(value: object, kind: str) -> bool:
    if kind.startswith("[]"):
        return isinstance(value, list)
    if kind.startswith("map["):
        return isinstance(value, dict)
    if kind in ("int", "int32"):
        return isinstance(value, int) and not isinstance(value, bool)
    expected = {"string": str, "bool": bool}.get(kind, dict)
    return isinstance(value, expected)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return f"number {value}"
    names: dict[type, str] = {str: "string", int: "number", list: "array", dict: "object", type(None): "null"}
    return names[type(value)]


def _syntax_fault(body: bytes, message: str) -> StatusFailure:
    if "truncated" in message:
        return bad_request("unexpected EOF")
    match = _AT_BYTE.search(message)
    if match is None or int(match.group(1)) >= len(body):
        return bad_request("unexpected EOF")
    character = body[int(match.group(1)) :].decode("utf-8", "replace")[0]
    shown = {"'": "\\'", "\n": "\\n", "\t": "\\t"}.get(character, character)
    return bad_request(f"invalid character '{shown}' looking for beginning of value")
