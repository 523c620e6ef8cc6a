"""How answers for text read to Ollama's clients: one object, or NDJSON lines.

Owns the two shapes, `/api/chat`'s and `/api/generate`'s. A line that brings
nothing but text, as nearly all do, is put together from bytes that are the same
for the whole stream; only its text is encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ia0_daemon.clock import timestamp
from ia0_daemon.gateway import error_shapes
from ia0_daemon.gateway.catalog import AUTO
from ia0_daemon.gateway.respond import as_line, encode
from ia0_daemon.gateway.wanted import NDJSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.wanted import Result

_FIGURES = ("load_duration", "prompt_eval_duration", "eval_duration")


class ChatShape:
    """Answers of `/api/chat`. The other route's differ in where the text stands."""

    stream_type = NDJSON
    _before_text, _behind_text = b'"message":{"role":"assistant","content":', b'},"done":false}\n'

    def __init__(self) -> None:
        self._head = b""

    def _part(self, text: str, thinking: str, tool_calls: Sequence[Any]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        message |= {"thinking": thinking} if thinking else {}
        return {"message": message | ({"tool_calls": tool_calls} if tool_calls else {})}

    def whole(self, call: Call, result: Result) -> bytes:
        """Write the text with its figures."""
        part = self._part(result.text, result.thinking, result.tool_calls)
        said = {**beginning(call), **part, **_end(call, result)}
        return encode(said | ({"logprobs": result.logprobs} if result.logprobs else {}))

    def opening(self, _call: Call) -> bytes:
        """Write nothing: the first line is the first text."""
        return b""

    def piece(self, call: Call, lines: Sequence[ChatLine]) -> bytes:
        """Write a line for each of the engine's."""
        if not self._head:
            self._head = b'{"model":%b,"created_at":"' % encode(named(call))
        start = b'%b%b",%b' % (self._head, timestamp().encode(), self._before_text)
        written = []
        for line in lines:
            if line.thought or line.calls or line.logprobs:
                written.append(self._rich(call, line))
            else:
                written += start, encode(line.text), self._behind_text
        return b"".join(written)

    def _rich(self, call: Call, line: ChatLine) -> bytes:
        said = {**beginning(call), **self._part(line.text, line.thought, line.calls), "done": False}
        return as_line(said | ({"logprobs": line.logprobs} if line.logprobs else {}))

    def closing(self, call: Call, result: Result) -> bytes:
        """Write the figures."""
        return as_line({**beginning(call), **self._part("", "", ()), **_end(call, result)})

    def failure(self, call: Call, error: ServiceError) -> bytes:
        """Write the error as the last line."""
        return as_line(error_shapes.ollama(error, call.request_id))


class GenerateShape(ChatShape):
    """Answers of `/api/generate`."""

    _before_text, _behind_text = b'"response":', b',"done":false}\n'

    # The path calls no tools; the chat's does, and has this step with them.
    def _part(self, text: str, thinking: str, tool_calls: Sequence[Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"response": text} | ({"thinking": thinking} if thinking else {})


def named(call: Call) -> str:
    """Give the name that an answer bears: the one that was asked for, unless the choice was ours."""
    asked = call.requested_model
    return call.model if asked in ("", AUTO) else asked


def beginning(call: Call) -> dict[str, Any]:
    """Give what every line begins with."""
    return {"model": named(call), "created_at": timestamp()}


def _end(call: Call, result: Result) -> dict[str, Any]:
    """Give what the last line says. Durations in ns; zeros are left out, as Ollama does."""
    said: dict[str, Any] = {"done": True, "done_reason": result.done_reason}
    if result.context is not None:
        said["context"] = result.context
    # Of the whole way: with a queue, a load and a restart in it, the engine knows a part alone.
    said["total_duration"] = round(call.elapsed_s() * 1e9)
    counts = {"prompt_eval_count": result.prompt_tokens, "eval_count": result.completion_tokens}
    counts |= {name: getattr(result, name) for name in _FIGURES}
    return said | {name: value for name, value in counts.items() if value} | _ours(call)


def _ours(call: Call) -> dict[str, Any]:
    """Give what Ollama has no word for, where it happened."""
    rare = {
        "cached": call.cached,
        "resumed": call.resumed,
        "resumed_at": call.resumed_at,
        "passed_over": call.passed_over,
        "truncated": call.truncated,
        "context_full": call.context_full,
    }
    return {name: value for name, value in rare.items() if value}
