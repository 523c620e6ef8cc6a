"""The forms of the answers to Ollama's clients: what the documentation describes and tests hold.

Owns their types alone; `ollama_lines.py` and others write the bytes, without making these first.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from ia0_daemon.gateway.routes.llm_answer import Truncated


class Line(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every line of an answer begins with."""

    model: str
    """The name that was asked for, unless the choice was the daemon's; `X-IA0-Model` is who wrote it."""
    created_at: str
    """When, RFC 3339 in UTC."""
    logprobs: list[dict[str, Any]] | UnsetType = UNSET


class End(Line, kw_only=True):
    """What the last line says. Durations in nanoseconds; zeros are left out."""

    done: Literal[True]
    done_reason: str
    """`stop`, `length`, `load` or `unload`."""
    total_duration: int | UnsetType = UNSET
    """From the request to its answer, queue and load included."""
    load_duration: int | UnsetType = UNSET
    prompt_eval_count: int | UnsetType = UNSET
    """Tokens of the prompt."""
    prompt_eval_duration: int | UnsetType = UNSET
    eval_count: int | UnsetType = UNSET
    """Tokens of the answer."""
    eval_duration: int | UnsetType = UNSET
    cached: Literal[True] | UnsetType = UNSET
    """Not Ollama's: the answer was kept, or is shared with an equal request at the same time."""
    resumed: int | UnsetType = UNSET
    """Not Ollama's: how often the text went on after a restart of the engine."""
    resumed_at: list[int] | UnsetType = UNSET
    """Not Ollama's: at which characters of the text."""
    passed_over: list[str] | UnsetType = UNSET
    """Not Ollama's: models that were to answer and could not."""
    truncated: Truncated | UnsetType = UNSET
    """Not Ollama's: the prompt was shortened, as the request allowed."""
    context_full: Literal[True] | UnsetType = UNSET
    """Not Ollama's: the answer ended because the model's context was full."""


class AnswerMessage(msgspec.Struct, forbid_unknown_fields=True):
    """What the model says."""

    role: Literal["assistant"]
    content: str
    thinking: str | UnsetType = UNSET
    tool_calls: list[dict[str, Any]] | UnsetType = UNSET


class ChatAnswer(End, kw_only=True):
    """A whole answer of `/api/chat`, and the last line of a stream, whose message is empty."""

    message: AnswerMessage


class ChatPiece(Line, kw_only=True):
    """A line of a stream of `/api/chat`."""

    message: AnswerMessage
    done: Literal[False]


class GenerateAnswer(End, kw_only=True):
    """A whole answer of `/api/generate`, and the last line of a stream, whose text is empty."""

    response: str
    thinking: str | UnsetType = UNSET
    context: list[int] | UnsetType = UNSET
    """The tokens so far, for a next request to go on with."""


class GeneratePiece(Line, kw_only=True):
    """A line of a stream of `/api/generate`."""

    response: str
    thinking: str | UnsetType = UNSET
    done: Literal[False]


class EmbedAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """Vectors of `/api/embed`, in the order of the texts. Durations in nanoseconds."""

    model: str
    embeddings: list[list[float]] | UnsetType = UNSET
    total_duration: int | UnsetType = UNSET
    load_duration: int | UnsetType = UNSET
    prompt_eval_count: int | UnsetType = UNSET


class EmbeddingsAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """The vector of `/api/embeddings`; empty where there was no text."""

    embedding: list[float]


class ListedModel(msgspec.Struct):
    """A model under a name that may be asked for; the other fields are as the engine lists them."""

    name: str
    model: str


class ModelList(msgspec.Struct, forbid_unknown_fields=True):
    """Models that the key may use."""

    models: list[ListedModel]


class Version(msgspec.Struct, forbid_unknown_fields=True):
    """The engine's version."""

    version: str


class Progress(msgspec.Struct):
    """How far a transfer is; the other fields are the engine's."""

    status: str


SHOWN: dict[str, Any] = {
    "type": "object",
    "description": "What the engine says of the model: its template, parameters, details, licence.",
}
"""The schema of what `/api/show` answers."""
BLOB: dict[str, Any] = {"type": "string", "format": "binary"}
"""The schema of a blob's bytes."""
