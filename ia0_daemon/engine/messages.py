"""What is said to the engine and what it says, as types: one decode per line, in C.

Owns the shapes of `/api/chat` and `/api/generate`. Fields that the daemon has no use for are passed over.
"""

from __future__ import annotations

from typing import Any

import msgspec

CHAT = "/api/chat"
GENERATE = "/api/generate"
EMBED = "/api/embed"


class Message(msgspec.Struct, omit_defaults=True):
    """One turn of a conversation."""

    role: str
    content: str
    thinking: str = ""
    images: list[str] = []
    """Base64, without a prefix."""
    tool_calls: list[Any] = []
    tool_name: str = ""
    tool_call_id: str = ""


class Delta(msgspec.Struct):
    """What a line of `/api/chat` adds to the answer."""

    content: str = ""
    thinking: str = ""
    tool_calls: list[Any] = []


class ChatLine(msgspec.Struct):
    """One line of the engine's answer. The last bears the figures, durations in ns; zeros are left out."""

    message: Delta | None = None
    response: str = ""
    """What a line of `/api/generate` adds."""
    done: bool = False
    done_reason: str = ""
    error: str = ""
    thinking: str = ""
    logprobs: list[Any] | None = None
    """Of the tokens of this line."""
    context: list[int] | None = None
    """What `/api/generate` hands on to a next request."""
    prompt_eval_count: int = 0
    eval_count: int = 0
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_duration: int = 0
    eval_duration: int = 0

    @property
    def text(self) -> str:
        """What the line adds to the text."""
        return self.message.content if self.message is not None else self.response

    @property
    def thought(self) -> str:
        """What the line adds to the thinking."""
        return self.message.thinking if self.message is not None else self.thinking

    @property
    def calls(self) -> list[Any]:
        """The tools that the line calls."""
        return self.message.tool_calls if self.message is not None else []

    @property
    def brings(self) -> bool:
        """Whether the line has something for the caller beside figures."""
        delta = self.message
        if delta is None:
            return bool(self.response or self.thinking or self.logprobs)
        return bool(delta.content or delta.thinking or delta.tool_calls or self.logprobs)

    @property
    def is_rich(self) -> bool:
        """Whether it has something for the caller beside text and figures."""
        delta = self.message
        if delta is None:
            return bool(self.thinking or self.logprobs)
        return bool(delta.thinking or delta.tool_calls or self.logprobs)


class Failure(msgspec.Struct):
    """The body of every error of the engine."""

    error: str = ""
