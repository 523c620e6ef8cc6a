"""What is said to the engine and what it says, as types: one decode per line, in C.

Owns the shapes of `/api/chat`. Fields that the daemon has no use for are passed over.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Message(msgspec.Struct, omit_defaults=True):
    """One turn of a conversation."""

    role: str
    content: str


class ChatRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /api/chat`."""

    model: str
    messages: list[Message]
    options: dict[str, Any]
    keep_alive: str | int
    stream: bool = True
    truncate: bool = False
    """Never let the engine drop the oldest messages without a word."""
    shift: bool = False
    """Never let it drop the oldest half of a full context; said every time, as a change reloads the model."""


class Delta(msgspec.Struct):
    """What a line adds to the answer."""

    content: str = ""


class ChatLine(msgspec.Struct):
    """One line of the engine's answer. The last bears the figures, durations in ns; zeros are left out."""

    message: Delta | None = None
    done: bool = False
    done_reason: str = ""
    error: str = ""
    prompt_eval_count: int = 0
    eval_count: int = 0
    load_duration: int = 0
    prompt_eval_duration: int = 0
    eval_duration: int = 0


class Failure(msgspec.Struct):
    """The body of every error of the engine."""

    error: str = ""
