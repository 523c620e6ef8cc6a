"""Whether an answer that is to have a form begins as that form does.

    what the engine was asked for as `format`, the first of the text -> nothing, or InvalidRequest

Of a schema that llama.cpp can make no grammar of, Ollama's engine says nothing: it writes free text, with a
status of 200. That shows at the first letter, before a stream has begun. Owns that look; whether all of the
text follows the schema is not held here. Pure.
"""

from __future__ import annotations

from typing import Any

from ia0_daemon.errors import InvalidRequest

_NUMBER = tuple("-0123456789")
_BEGINNINGS: dict[object, tuple[str, ...]] = {
    "object": ("{",),
    "array": ("[",),
    "string": ('"',),
    "integer": _NUMBER,
    "number": _NUMBER,
    "boolean": ("true", "false"),
    "null": ("null",),
}
_ANY = tuple(each for beginnings in _BEGINNINGS.values() for each in beginnings)


def check_form(form: Any, text: str) -> None:
    """Hold the first of an answer's text to `format`. Raises `InvalidRequest`.

    The letters of a word may come one by one; a text that is blank so far is none yet.
    """
    said = text.lstrip()
    if not form or not said:
        return
    if not any(each.startswith(said[: len(each)]) for each in _beginnings(form)):
        raise InvalidRequest(
            "the engine does not hold the answer to the form that was asked for: it began with something "
            "else. Probably it cannot follow the schema; a simpler one may do (no look-ahead in a pattern, "
            "no reference to elsewhere, no bounds that exclude each other)",
            rule="a schema that the engine can follow",
        )


def _beginnings(form: Any) -> tuple[str, ...]:
    kind = form.get("type") if isinstance(form, dict) else "object"
    return _BEGINNINGS.get(kind, _ANY) if isinstance(kind, str) else _ANY
