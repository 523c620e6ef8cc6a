"""The fields that ``/api/generate`` and ``/api/chat`` share, read and checked.

    read_common(fields) -> Common

Owns their Go types, defaults and refusals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ia0_daemon.embedded.completion import CompletionRequest
from ia0_daemon.embedded.durations import parse_keep_alive
from ia0_daemon.embedded.engine import Asked, Engine
from ia0_daemon.embedded.failures import bad_request
from ia0_daemon.embedded.models import Model
from ia0_daemon.embedded.options import Options

MOST_TOP_LOGPROBS = 20
_EFFORTS = ("high", "medium", "low", "max")

COMMON_FIELDS = {
    "model": "string",
    "stream": "*bool",
    "format": "any",
    "keep_alive": "any",
    "options": "map[string]interface {}",
    "think": "any",
    "truncate": "*bool",
    "shift": "*bool",
    "logprobs": "bool",
    "top_logprobs": "int",
    "_debug_render_only": "bool",
}


@dataclass(frozen=True)
class Common:
    """What both kinds of request say."""

    model: str
    stream: bool
    format: object
    think: bool
    truncate: bool
    logprobs: bool
    top_logprobs: int
    render_only: bool
    unloads: bool
    asked: Asked


def read_common(given: dict[str, Any]) -> Common:
    """Check the shared fields; 400 with Ollama's texts."""
    top = given.get("top_logprobs", 0)
    if not 0 <= top <= MOST_TOP_LOGPROBS:
        raise bad_request("top_logprobs must be between 0 and 20")
    keep_alive = read_keep_alive(given)
    return Common(
        model=given.get("model", ""),
        stream=given.get("stream", True),
        format=given.get("format"),
        think=_think(given.get("think")),
        truncate=given.get("truncate", True),
        logprobs=given.get("logprobs", False),
        top_logprobs=top,
        render_only=given.get("_debug_render_only", False),
        unloads=keep_alive == 0,
        asked=Asked(given.get("options", {}), keep_alive, given.get("shift", True)),
    )


def completion(common: Common, prompt: str, options: Options, images: tuple[str, ...]) -> CompletionRequest:
    """What is asked of the runner, once the prompt is rendered."""
    return CompletionRequest(
        prompt=prompt,
        options=options,
        format=common.format,
        truncate=common.truncate,
        logprobs=common.logprobs,
        top_logprobs=common.top_logprobs,
        images=images,
    )


def read_keep_alive(given: dict[str, Any]) -> float | None:
    """The seconds of ``keep_alive``, or None when it is not given."""
    if "keep_alive" not in given:
        return None
    try:
        return parse_keep_alive(given["keep_alive"])
    except ValueError as error:
        raise bad_request(str(error)) from error


def _think(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value in _EFFORTS:
        return True
    shown = f'"{value}"' if isinstance(value, str) else value
    raise bad_request(
        f'invalid think value: {shown} (must be "high", "medium", "low", "max", true, or false)'
    )


def require(engine: Engine, model: Model, name: str, common: Common, capability: str) -> None:
    """Refuse what the model cannot do; ``capability`` is the verb of the route."""
    found = engine.capabilities(model)
    if common.think and "thinking" not in found:
        raise bad_request(f'"{name}" does not support thinking')
    if "completion" not in found:
        raise bad_request(f'"{name}" does not support {capability}')
