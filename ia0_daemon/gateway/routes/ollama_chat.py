"""`POST /api/chat`: a conversation in, its next message out, as Ollama's clients ask for it.

body -> ChatRequest -> Wanted -> answer.py -> one object, or NDJSON lines (the default)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from ia0_daemon.engine.messages import Message
from ia0_daemon.gateway.answer import answer
from ia0_daemon.gateway.body import BodyReader
from ia0_daemon.gateway.guards import check_prompt
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routes.ollama_answers import ChatAnswer, ChatPiece
from ia0_daemon.gateway.routes.ollama_fields import TextRequest, check_body_kind, check_common
from ia0_daemon.gateway.routes.ollama_lines import ChatShape
from ia0_daemon.gateway.routes.ollama_load import CHAT_PART, load_or_unload
from ia0_daemon.gateway.routes.ollama_options import sampling
from ia0_daemon.gateway.wanted import NDJSON, Wanted

if TYPE_CHECKING:
    from flask import Response

    from ia0_daemon.settings.schema import Limits

ASSISTANT = "assistant"


class Turn(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One message of a conversation."""

    role: Annotated[str, Meta(min_length=1, max_length=64)]
    """`system`, `user`, `assistant` or `tool`; some models' templates know others."""
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    """In base64."""
    tool_calls: list[dict[str, Any]] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None

    def message(self) -> Message:
        """Give it as the engine takes it."""
        return Message(
            self.role.lower(),
            self.content or "",
            self.thinking or "",
            self.images or [],
            self.tool_calls or [],
            self.tool_name or "",
            self.tool_call_id or "",
        )

    def chars(self) -> int:
        """Count what the model reads of it."""
        said = len(self.content or "") + len(self.thinking or "")
        return said + (len(encode(self.tool_calls)) if self.tool_calls else 0)


class ChatRequest(TextRequest, frozen=True, kw_only=True):
    """The body of `POST /api/chat`."""

    messages: list[Turn] | None = None
    """The last one may be the assistant's: its text is gone on with. None at all loads the model."""
    tools: list[dict[str, Any]] | None = None


_reader = BodyReader(ChatRequest)


def chat(visit: Visit) -> Response:
    """Answer one request."""
    check_body_kind(visit.http)
    request = _reader.read(visit.http.get_data(cache=False))
    limits = visit.live.settings.limits
    check_common(request, limits)
    if not request.messages:
        return load_or_unload(visit, request, CHAT_PART)
    return answer(visit, wanted_of(request, request.messages, limits), ChatShape())


def wanted_of(request: ChatRequest, turns: list[Turn], limits: Limits) -> Wanted:
    """Give what a body asks for. Raises `InvalidRequest`."""
    tools = encode(request.tools) if request.tools else b""
    check_prompt(sum(turn.chars() for turn in turns) + len(tools), limits, "messages")
    messages = [turn.message() for turn in turns]
    # A text that was begun by the caller and cut by a restart would be two messages of the assistant's.
    is_plain = request.is_plain and not tools and messages[-1].role != ASSISTANT
    fields = request.engine_fields()
    return Wanted(
        model=request.model,
        messages=messages,
        options=sampling(request.options, limits),
        stream=request.is_streamed,
        fields=fields | {"tools": request.tools} if tools else fields,
        may_resume=is_plain and request.resume is not False,
        truncate=bool(request.truncate),
        cache=request.cache,
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/chat",
        handle=chat,
        summary="Go on with a conversation, as Ollama does.",
        tag="Ollama",
        takes=ChatRequest,
        gives=ChatAnswer,
        streams=NDJSON,
        stream_gives=(ChatPiece, ChatAnswer),
        is_limited=True,
        examples=(
            {
                "messages": [{"role": "user", "content": "What is the capital of France?"}],
                "options": {"num_predict": 30},
                "stream": False,
            },
        ),
    ),
)
