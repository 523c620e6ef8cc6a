"""What OpenAI's answers have in common: figures, calls of tools, logprobs, and IA-0's notes.

Owns these shapes. Pure.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ia0_daemon.gateway.respond import encode

if TYPE_CHECKING:
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.service import Live
    from ia0_daemon.gateway.wanted import Result

FinishReason = Literal["stop", "length", "tool_calls"]
# Enough of a digest to tell models apart.
FINGERPRINT_CHARS = 12


class Usage(msgspec.Struct):
    """The tokens of prompt and answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CalledFunction(msgspec.Struct):
    """Which function is to be called; `arguments` is an object as JSON text."""

    name: str
    arguments: str


class CalledTool(msgspec.Struct):
    """A call that the model asks for."""

    id: str
    type: Literal["function"]
    function: CalledFunction
    index: int | msgspec.UnsetType = msgspec.UNSET
    """Its place among all calls; in streams alone."""


class Logprobs(msgspec.Struct):
    """Of each token, as the engine gives it."""

    content: list[dict[str, Any]]
    refusal: None = None


def usage(call: Call) -> Usage:
    """Give the tokens of an answer."""
    return Usage(call.prompt_tokens, call.completion_tokens, call.prompt_tokens + call.completion_tokens)


def called(calls: list[Any], first_index: int | None = None) -> list[CalledTool]:
    """Give the engine's calls as OpenAI's; those of a stream are numbered from `first_index` on."""
    found = []
    for at, each in enumerate(calls):
        function = each.get("function", {})
        arguments = encode(function.get("arguments") or {}).decode()
        tool = CalledTool(
            each.get("id") or f"call_{uuid.uuid4().hex[:24]}",
            "function",
            CalledFunction(function.get("name", ""), arguments),
        )
        if first_index is not None:
            tool.index = first_index + at
        found.append(tool)
    return found


def logprobs(found: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Give tokens with the list of others that OpenAI's have always."""
    return [{"top_logprobs": [], **each} for each in found or ()]


def finish_reason(result: Result) -> FinishReason:
    """Say why an answer ended."""
    if result.done_reason == "length":
        return "length"
    return "tool_calls" if result.tool_calls else "stop"


def fingerprint(live: Live, call: Call) -> str:
    """Give what changes when the model behind a name does."""
    digest = live.watch.digest(live.catalog.named(call.model).tag).removeprefix("sha256:")
    return f"fp_{digest[:FINGERPRINT_CHARS] or 'unknown'}"


def notes(call: Call) -> dict[str, Any]:
    """Give what IA-0 says beside OpenAI's fields: how it was routed, and what is out of the way."""
    rare = {
        "cached": call.cached,
        "passed_over": call.passed_over,
        "truncated": call.truncated,
        "context_full": call.context_full,
        "resumed": call.resumed,
        "resumed_at": call.resumed_at,
    }
    return {"route": call.reason, **{name: value for name, value in rare.items() if value}}


def now() -> int:
    """Give the time as OpenAI's answers bear it, in seconds since 1970."""
    return int(time.time())
