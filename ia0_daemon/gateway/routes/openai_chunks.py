"""Streams of OpenAI's chunks, for chat and for completions.

    role? -> one chunk for each line of the engine ... -> finish_reason -> usage? -> [DONE]

Owns the bytes of a stream. The hot path: a plain text is put between a head and
a tail that are made once; no object is built for it. An error in mid-stream is
an event with `error`, which the SDKs raise, and no [DONE] follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ia0_daemon.gateway import error_shapes
from ia0_daemon.gateway.respond import as_event, encode
from ia0_daemon.gateway.routes.openai_answers import Usage, fingerprint, finish_reason, notes, now, usage
from ia0_daemon.gateway.wanted import SSE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.service import Live
    from ia0_daemon.gateway.wanted import Result

END = "[DONE]"
"""What the last event of a stream says that did not fail; it is no JSON."""
DONE = f"data: {END}\n\n".encode()
_NO_USAGE = b',"usage":null'


class Chunk(msgspec.Struct, kw_only=True):
    """What all chunks have. It describes them; the bytes are written by `ChunkShape`."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
    """Where `stream_options.include_usage` asks for it: null, but in the last chunk, which has no choice."""
    ia0: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """How it was routed, and what is out of the way; in the chunk with `finish_reason`."""


class ChunkShape:
    """What the shapes of chat and completions share. One is made for each request."""

    stream_type = SSE
    id_prefix: ClassVar[str]
    kind: ClassVar[str]
    """What `object` says in chunks."""
    before, behind = b"", b""
    """What stands around a plain text within its choice."""
    first = b""
    """The choice of a chunk that comes before all others; empty: none does."""

    def __init__(self, live: Live, *, with_usage: bool = False) -> None:
        self._live = live
        self._with_usage = with_usage
        self._created = now()
        self._waiting = self._start = self._end = self._head = self._tail = b""

    def identity(self, call: Call, kind: str) -> dict[str, Any]:
        """Give the fields that an answer and all its chunks begin with."""
        return {
            "id": self.id_prefix + call.request_id,
            "object": kind,
            "created": self._created,
            "model": call.model,
            "system_fingerprint": fingerprint(self._live, call),
        }

    def opening(self, call: Call) -> bytes:
        """Make head and tail; what comes first goes out with the first text, in one write."""
        self._start = b"data: " + encode(self.identity(call, self.kind))[:-1] + b',"choices":['
        self._end = b"]" + (_NO_USAGE if self._with_usage else b"") + b"}\n\n"
        self._head, self._tail = self._start + self.before, self.behind + self._end
        if self.first:
            self._waiting = self._chunk(self.first)
        return b""

    def piece(self, _call: Call, lines: Sequence[ChatLine]) -> bytes:
        """Write a chunk for each line."""
        head, tail = self._head, self._tail
        parts = [self._waiting] if self._waiting else []
        self._waiting = b""
        for line in lines:
            delta = line.message
            if delta is None or delta.tool_calls or delta.thinking or line.logprobs:
                parts.append(self._chunk(self.rare(line)))
            else:
                parts += (head, encode(delta.content), tail)
        return b"".join(parts)

    def closing(self, call: Call, result: Result) -> bytes:
        """Write why it ended, the tokens where they are asked for, and the end."""
        last = self._start + self.finish(finish_reason(result)) + self._end[:-3]
        written = self._waiting + last + b',"ia0":' + encode(notes(call)) + b"}\n\n"
        if self._with_usage:
            written += self._start + b'],"usage":' + encode(usage(call)) + b"}\n\n"
        return written + DONE

    def failure(self, call: Call, error: ServiceError) -> bytes:
        """Write an error as OpenAI's SDKs raise it."""
        return as_event(error_shapes.openai(error, call.request_id))

    def rare(self, line: ChatLine) -> bytes:
        """Write the choice of a line that is more than a plain text."""
        raise NotImplementedError

    def finish(self, reason: str) -> bytes:
        """Write the choice that says why the answer ended."""
        raise NotImplementedError

    def _chunk(self, choice: bytes) -> bytes:
        return self._start + choice + self._end
