"""How `/v1/chat/completions` answers: as one object, or in chunks.

Owns the shapes of its answers. The bytes of a stream are openai_chunks.py's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routes.openai_answers import (
    CalledTool,
    FinishReason,
    Logprobs,
    Usage,
    called,
    finish_reason,
    logprobs,
    notes,
    usage,
)
from ia0_daemon.gateway.routes.openai_chunks import Chunk, ChunkShape

if TYPE_CHECKING:
    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.wanted import Result


class AnswerMessage(msgspec.Struct):
    """What the model says."""

    content: str | None
    role: Literal["assistant"] = "assistant"
    refusal: None = None
    reasoning: str | msgspec.UnsetType = msgspec.UNSET
    """What it thought before, where it did."""
    tool_calls: list[CalledTool] | msgspec.UnsetType = msgspec.UNSET


class Choice(msgspec.Struct):
    """The one answer."""

    message: AnswerMessage
    finish_reason: FinishReason
    logprobs: Logprobs | None = None
    index: int = 0


class ChatCompletion(msgspec.Struct):
    """A whole answer."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage
    ia0: dict[str, Any]


class ChatDelta(msgspec.Struct):
    """What a chunk adds to the message; nothing in the one with `finish_reason`."""

    role: Literal["assistant"] | msgspec.UnsetType = msgspec.UNSET
    """In the first chunk alone."""
    content: str | msgspec.UnsetType = msgspec.UNSET
    refusal: msgspec.UnsetType | None = msgspec.UNSET
    reasoning: str | msgspec.UnsetType = msgspec.UNSET
    """What it thinks before it writes, where it does."""
    tool_calls: list[CalledTool] | msgspec.UnsetType = msgspec.UNSET
    """Whole calls: the engine gives none in pieces."""


class ChunkChoice(msgspec.Struct):
    """A piece of the one answer."""

    index: int
    delta: ChatDelta
    logprobs: Logprobs | None
    finish_reason: FinishReason | None
    """Why it ended; null before."""


class ChatChunk(Chunk):
    """A message of a stream."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChunkChoice]


class ChatShape(ChunkShape):
    """Answers as one object, or in chunks."""

    id_prefix, kind = "chatcmpl-", "chat.completion.chunk"
    before = b'{"index":0,"delta":{"content":'
    behind = b'},"logprobs":null,"finish_reason":null}'
    first = (
        b'{"index":0,"delta":{"role":"assistant","content":"","refusal":null},'
        b'"logprobs":null,"finish_reason":null}'
    )
    _calls = 0

    def whole(self, call: Call, result: Result) -> bytes:
        """Write a whole answer."""
        identity = self.identity(call, "chat.completion")
        return encode(
            ChatCompletion(**identity, choices=[_choice(result)], usage=usage(call), ia0=notes(call))
        )

    def rare(self, line: ChatLine) -> bytes:
        """Write thinking, calls of tools and logprobs."""
        delta = ChatDelta()
        if line.text or line.logprobs:
            delta.content = line.text
        if line.thought:
            delta.reasoning = line.thought
        if line.calls:
            delta.tool_calls = called(line.calls, self._calls)
            self._calls += len(line.calls)
        found = Logprobs(logprobs(line.logprobs)) if line.logprobs else None
        return encode(ChunkChoice(0, delta, found, None))

    def finish(self, reason: str) -> bytes:
        """Write an empty delta with the reason."""
        return b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"%s"}' % reason.encode()


def _choice(result: Result) -> Choice:
    message = AnswerMessage(result.text if result.text or not result.tool_calls else None)
    if result.thinking:
        message.reasoning = result.thinking
    if result.tool_calls:
        message.tool_calls = called(result.tool_calls)
    found = Logprobs(logprobs(result.logprobs)) if result.logprobs else None
    return Choice(message, finish_reason(result), found)
