"""What a Go template can call, and how Go prints and judges values.

Owns the functions by their names, printing and truth. Never walks a template
(``template_run`` does).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ia0_daemon.embedded.template_lex import TemplateError


def truth(value: object) -> bool:
    """Go's truth of a value: not zero, not empty, not nil."""
    return bool(value)


def printed(value: object) -> str:
    """A value as a template prints it."""
    if value is None:
        return "<no value>"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping | list | tuple):
        return to_json(value)
    return str(value)


def to_json(value: object) -> str:
    """Compact JSON, as Go's ``json.Marshal`` writes it."""
    return msgspec.json.encode(value).decode()


def _and(*values: object) -> object:
    return next((value for value in values if not truth(value)), values[-1])


def _or(*values: object) -> object:
    return next((value for value in values if truth(value)), values[-1])


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping | list | tuple):
        return len(value)
    raise TemplateError(f"template: len of nil pointer or type {type(value).__name__}")


def _index(value: Any, *keys: Any) -> object:
    for key in keys:
        value = value[key]
    return value


def _slice(value: Any, *bounds: int) -> object:
    return value[slice(bounds[0], bounds[1] if len(bounds) > 1 else None)] if bounds else value


def _sprint(*values: object) -> str:
    return " ".join(printed(value) for value in values)


def _sprintf(form: str, *values: object) -> str:
    plain = re.sub(r"%[vdqs]", "%s", form)
    return plain % tuple(printed(value) for value in values)


FUNCTIONS: dict[str, Callable[..., object]] = {
    "and": _and,
    "or": _or,
    "not": lambda value: not truth(value),
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda first, other: first != other,
    "lt": lambda first, other: first < other,
    "le": lambda first, other: first <= other,
    "gt": lambda first, other: first > other,
    "ge": lambda first, other: first >= other,
    "len": _length,
    "index": _index,
    "slice": _slice,
    "print": _sprint,
    "println": lambda *values: _sprint(*values) + "\n",
    "printf": _sprintf,
    "json": to_json,
}
