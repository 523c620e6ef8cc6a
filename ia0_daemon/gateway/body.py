"""Reading a request's body into a struct, and the one way in which a broken rule is told.

Owns the errors of decoding; the words of a rule are `broken_rule.py`'s. Pure: bytes in, a struct out, or an
error that names the field, its value and the rule. Never knows what a field means.

    BodyReader(GenerateRequest).read(body) -> GenerateRequest | InvalidRequest
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from ia0_daemon.errors import InvalidRequest, UnsupportedMediaType
from ia0_daemon.gateway.body_types import choices_at, fields_at, meant
from ia0_daemon.gateway.broken_rule import rule_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request

# How much of a wrong value, or of an unknown name, an error repeats, in characters.
SHOWN_CHARS = 200

# msgspec names the object, not the field, where a field is unknown; the name can be any text.
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_PLACE = re.compile(r"\.?([A-Za-z0-9_.\[\]]*)`")
# What is longer, or has other characters, may be a prompt in the wrong place: no sentence repeats it.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
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
        """Tell the field, the rule and the value.

        A value that is a text stands in the details alone: the sentence is logged, and prompts must not be.
        """
        said, field = _placed(message)
        unknown = _UNKNOWN.fullmatch(said)
        if unknown:
            return self._unknown_field(unknown[1], field, body)
        missing = _MISSING.fullmatch(said)
        if missing:
            field = f"{field}.{missing[1]}" if field else missing[1]
            return InvalidRequest(f"{field}: it is missing", field=field, rule="it is required")
        rule = rule_of(said, choices_at(self._kind, _steps(field)))
        if not field:
            return InvalidRequest(f"the body {rule}", rule=rule)
        value = _value_at(body, _steps(field))
        shown = f"; it is {encoded(value)}" if isinstance(value, int | float) else ""
        return InvalidRequest(f"{field}: {rule}{shown}", field=field, value=short(value), rule=rule)

    def _unknown_field(self, name: str, parent: str, body: bytes) -> InvalidRequest:
        steps = _steps(parent)
        near = meant(self._kind, steps, name)
        known = ", ".join(fields_at(self._kind, steps))
        rule = f"unknown field; did you mean `{near}`? Known here: {known}"
        if not near:
            rule = f"unknown field; known here: {known}"
        field = f"{parent}.{name}"[:SHOWN_CHARS] if parent else name[:SHOWN_CHARS]
        value = short(_value_at(body, [*steps, name]))
        shown = field if _NAME.fullmatch(name) else parent or "the body"
        return InvalidRequest(f"{shown}: {rule}", field=field, value=value, rule=rule)


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
    text = encoded(value)
    if len(text) > SHOWN_CHARS:
        return f"{text[:SHOWN_CHARS]}..."
    return value if isinstance(value, str | int | float | None) else text


def encoded(value: object) -> str:
    """Give a value as JSON."""
    return msgspec.json.encode(value).decode()


def _placed(message: str) -> tuple[str, str]:
    """Part msgspec's sentence from the path behind it, which is empty where the body as a whole is meant."""
    said, _, place = message.rpartition(" - at `$")
    match = _PLACE.fullmatch(place)
    return (said, match[1]) if said and match is not None else (message, "")


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
