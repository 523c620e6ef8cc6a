"""Go's durations, as Ollama reads them from ``keep_alive`` and the environment.

Owns the parsing. Never looks at the clock. Durations are seconds; ``FOREVER`` is infinity.
"""

from __future__ import annotations

import math
import re

FOREVER = math.inf

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")


def parse_go_duration(text: str) -> float:
    """Seconds of a duration such as ``1h30m`` or ``-1s``; ValueError with Go's text when it is none."""
    body = text[1:] if text[:1] in "+-" and text else text
    if body == "0":
        return 0.0
    parts = _PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError(_fault(text, body))
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds


def _fault(text: str, body: str) -> str:
    if re.fullmatch(r"\d+\.?\d*", body):
        return f'time: missing unit in duration "{text}"'
    unit = re.match(r"(?:\d+\.?\d*|\.\d+)([^\d.]+)", body)
    if unit and unit.group(1) not in _UNITS:
        return f'time: unknown unit "{unit.group(1)}" in duration "{text}"'
    return f'time: invalid duration "{text}"'


def parse_keep_alive(value: object) -> float:
    """Seconds that a model stays loaded: a number, or Go's duration in a string; negative is for ever."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"Unsupported type: '{_go_type(value)}'")  # noqa: TRY004 - Go reports it as a bad value
    seconds = parse_go_duration(value) if isinstance(value, str) else float(value)
    return FOREVER if seconds < 0 else seconds


def _go_type(value: object) -> str:
    names = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}
    return names.get(type(value), type(value).__name__)


def parse_env_duration(text: str, default: float) -> float:
    """Seconds of an environment variable: a duration, or whole seconds; zero or less means for ever there."""
    if not text:
        return default
    try:
        return parse_keep_alive(int(text) if re.fullmatch(r"-?\d+", text) else text)
    except ValueError:
        return default
