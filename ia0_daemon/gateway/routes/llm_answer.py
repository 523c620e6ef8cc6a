"""The forms of `/llm/generate`'s answers: what the documentation describes and tests hold.

Owns their types alone; `llm.py` writes the bytes, without making these first: that would cost each answer.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from ia0_daemon.gateway.error_shapes import Error


class Truncated(msgspec.Struct, forbid_unknown_fields=True):
    """How much did not fit."""

    prompt_tokens: int
    context_tokens: int


class Figures(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What an answer says beside its text."""

    model: str
    """The public name of the model that wrote it."""
    tokens_used: int
    """Those of the prompt and of the text."""
    latency_ms: int
    """From the request to its answer."""
    timestamp: str
    """When it was complete, RFC 3339 in UTC."""
    request_id: str
    """The id under which the log has the request."""
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str
    """`stop`: the model was done, or a `stop` text came. `length`: `max_tokens`, or the context's end."""
    ttft_ms: int | None
    """From the request to its first token, loading the model included."""
    route: str
    """Why this model: `named`, `language:` and a language, or `default`."""
    cached: bool
    """The answer was kept from an equal request, or is shared with one at the same time."""
    requested_model: str | UnsetType = UNSET
    """What the request asked for, where that is another name."""
    resumed: int | UnsetType = UNSET
    """How often the text went on after a restart of the engine."""
    resumed_at: list[int] | UnsetType = UNSET
    """At which characters of the text."""
    passed_over: list[str] | UnsetType = UNSET
    """Models that were to answer and could not."""
    truncated: Truncated | UnsetType = UNSET
    """The prompt was shortened, as the request allowed."""
    context_full: Literal[True] | UnsetType = UNSET
    """The answer ended because the model's context was full."""


class GenerateAnswer(Figures, kw_only=True):
    """A whole answer."""

    text: str
    """What the model wrote."""


class GeneratePiece(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a streamed answer."""

    text: str
    done: Literal[False]


class GenerateEnd(Figures, kw_only=True):
    """The last message of a stream."""

    text: Literal[""]
    done: Literal[True]


class GenerateError(Error):
    """The last message of a stream that failed."""

    done: Literal[True]
