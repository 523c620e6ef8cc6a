"""Reading a request's body into a struct, and the one way in which a broken rule is told.

Owns the errors of decoding. Pure: bytes in, a struct out, or an error that names
the field, its value and the rule. Never knows what a field means.

    BodyReader(GenerateRequest).read(body) -> GenerateRequest | InvalidRequest
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from ia0_daemon.errors import InvalidRequest, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request

# How much of a wrong value, or of an unknown name, an error repeats, in characters.
SHOWN_CHARS = 200

# msgspec names the object, not the field, where a field is unknown; the name can be any text.
_MISSING = re.compile(r"Object missing required field (.*)")
_PLACE = r"(?: - at `\$\.?([A-Za-z0-9_.\[\]]*)`)?"
_UNKNOWN = re.compile(rf"Object contains unknown field `(.*?)`{_PLACE}", re.DOTALL)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]")

# What is read here is written again further down, and Python bounds the calls and a value's depth together:
# so many calls are left over for that. The engine's client is 15 calls further down.
ROOM_CALLS = 32

S = TypeVar("S", bound=msgspec.Struct)


class BodyReader(Generic[S]):
    """Reads bodies of one kind. Made once: the checks are compiled."""

    def __init__(self, kind: type[S]) -> None:
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def read(self, body: bytes) -> S:
        """Decode and check one body. Raises `InvalidRequest`."""
        if not body:
            raise InvalidRequest("the request has no body; a JSON object is expected")
        try:
            return _with_room(self._decoder.decode, body, ROOM_CALLS)
        except msgspec.ValidationError as error:
            raise self._broken_rule(str(error), body) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"the body is not JSON in UTF-8: {error}") from error

    def _broken_rule(self, message: str, body: bytes) -> InvalidRequest:
        """Turn msgspec's sentence into ours: field, rule, value.

        A value that is a text stands in the details alone: the sentence is logged, and prompts must not be.
        """
        unknown = _UNKNOWN.fullmatch(message)
        if unknown:
            return self._unknown_field(unknown[1], unknown[2] or "", body)
        rule, _, path = message.removesuffix("`").partition(" - at `$")
        rule, field = rule.replace("`", "").replace(" | null", ""), path.removeprefix(".")
        missing = _MISSING.fullmatch(rule)
        if missing:
            field = f"{field}.{missing[1]}" if field else missing[1]
            return InvalidRequest(f"{field}: it is missing", field=field, rule="it is required")
        if not field:
            return InvalidRequest(f"the body breaks a rule: {rule}", rule=rule)
        value = _value_at(body, _steps(field))
        said = f"; it is {value}" if isinstance(value, int | float) else ""
        return InvalidRequest(f"{field}: {rule}{said}", field=field, value=short(value), rule=rule)

    def _unknown_field(self, name: str, parent: str, body: bytes) -> InvalidRequest:
        known = ", ".join(_fields_at(self._kind, _steps(parent)))
        rule = f"unknown field; known here: {known}"
        value = short(_value_at(body, [*_steps(parent), name]))
        field = f"{parent}.{name}"[:SHOWN_CHARS] if parent else name[:SHOWN_CHARS]
        return InvalidRequest(f"{field}: {rule}", field=field, value=value, rule=rule)


def _with_room(decode: Callable[[bytes], S], body: bytes, calls: int) -> S:
    """Decode as somebody would who is called by so many more: what is nested too deeply fails here."""
    return _with_room(decode, body, calls - 1) if calls else decode(body)


def check_media_type(http: Request) -> None:
    """Take JSON in UTF-8, not compressed. Raises `UnsupportedMediaType`."""
    sent = http.environ
    if sent.get("CONTENT_TYPE") == "application/json" and "HTTP_CONTENT_ENCODING" not in sent:
        return  # what nearly everybody sends
    charset = http.mimetype_params.get("charset", "utf-8").lower()
    if http.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(
            "Content-Type: the body must be application/json in UTF-8",
            field="Content-Type",
            value=http.headers.get("Content-Type", "")[:SHOWN_CHARS],
        )
    encoding = http.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(
            "Content-Encoding: compressed bodies are not taken",
            field="Content-Encoding",
            value=encoding[:SHOWN_CHARS],
        )


def short(value: object) -> object:
    """Give a number, a truth value or a short text as it is; of anything longer, its beginning as a text."""
    text = msgspec.json.encode(value).decode()
    if len(text) > SHOWN_CHARS:
        return f"{text[:SHOWN_CHARS]}..."
    return value if isinstance(value, str | int | float | None) else text


def _steps(field: str) -> list[str | int]:
    return [name or (0 if index == "..." else int(index)) for name, index in _STEP.findall(field)]


def _value_at(body: bytes, steps: list[str | int]) -> Any:
    """Give what stands there; nothing where the rest of the body cannot be read."""
    try:
        found = msgspec.json.decode(body)
        for step in steps:
            found = found[step]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return None
    return found


def _fields_at(kind: type[msgspec.Struct], steps: list[str | int]) -> list[str]:
    """Give the fields that are known where the steps lead."""
    here: inspect.Type | None = inspect.type_info(kind)
    for step in steps:
        here = _inner(here, step)
    return [field.encode_name for field in here.fields] if isinstance(here, inspect.StructType) else []


def _inner(here: inspect.Type | None, step: str | int) -> inspect.Type | None:
    if isinstance(here, inspect.StructType) and isinstance(step, str):
        return next((_one(field.type) for field in here.fields if field.encode_name == step), None)
    if isinstance(here, inspect.ListType):
        return _one(here.item_type)
    return None


def _one(kind: inspect.Type) -> inspect.Type:
    """Give the struct or list that a field may hold beside null and texts."""
    inner = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return next((each for each in inner if isinstance(each, inspect.StructType | inspect.ListType)), kind)
