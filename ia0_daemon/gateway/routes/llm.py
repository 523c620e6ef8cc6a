"""`POST /llm/generate`: a prompt in, a text with its figures out.

body -> GenerateRequest -> Wanted -> answer.py -> one object, NDJSON lines, or server-sent events
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ia0_daemon.clock import timestamp
from ia0_daemon.engine.messages import Message
from ia0_daemon.gateway import error_shapes
from ia0_daemon.gateway.answer import answer
from ia0_daemon.gateway.body import check_media_type
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.respond import as_event, as_line, encode
from ia0_daemon.gateway.routes.llm_answer import GenerateAnswer, GenerateEnd, GenerateError, GeneratePiece
from ia0_daemon.gateway.validate import GenerateRequest, generate_request, options_of
from ia0_daemon.gateway.wanted import NDJSON, SSE, Result, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.settings.schema import Limits


def generate(visit: Visit) -> Response:
    """Answer one request."""
    check_media_type(visit.http)
    limits = visit.live.settings.limits
    wanted = wanted_of(generate_request(visit.http.get_data(cache=False), limits), limits)
    shape = EventShape() if SSE in visit.http.headers.get("Accept", "") else LineShape()
    return answer(visit, wanted, shape)


def wanted_of(request: GenerateRequest, limits: Limits) -> Wanted:
    """Give what a body asks for. Raises `InvalidRequest`."""
    system = [Message("system", request.system)] if request.system else []
    return Wanted(
        model=request.model,
        messages=[*system, Message("user", request.prompt)],
        options=options_of(request, limits),
        stream=request.stream,
        may_resume=request.resume,
        truncate=request.truncate,
        cache=request.cache,
        is_single=True,
    )


def figures(call: Call) -> dict[str, Any]:
    """Give what an answer says beside its text. Times in milliseconds."""
    first_s = call.first_token_s()
    said: dict[str, Any] = {
        "model": call.model,
        "tokens_used": call.prompt_tokens + call.completion_tokens,
        "latency_ms": round(call.elapsed_s() * 1000),
        "timestamp": timestamp(),
        "request_id": call.request_id,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "finish_reason": call.finish_reason,
        "ttft_ms": round(first_s * 1000) if first_s is not None else None,
        "route": call.reason,
        "cached": call.cached,
    }
    if call.requested_model and call.requested_model != call.model:
        said["requested_model"] = call.requested_model
    if call.resumed:
        said["resumed"], said["resumed_at"] = call.resumed, call.resumed_at
    rare = {"passed_over": call.passed_over, "truncated": call.truncated, "context_full": call.context_full}
    return said | {name: value for name, value in rare.items() if value}


class LineShape:
    """Answers as one object, or as NDJSON lines."""

    stream_type = NDJSON

    def _write(self, message: dict[str, Any]) -> bytes:
        return as_line(message)

    def whole(self, call: Call, result: Result) -> bytes:
        """Write the text with its figures."""
        return encode({"text": result.text, **figures(call)})

    def opening(self, _call: Call) -> bytes:
        """Write nothing: the first line is the first text."""
        return b""

    def piece(self, _call: Call, lines: Sequence[ChatLine]) -> bytes:
        """Write what came in one read as one line."""
        return self._write({"text": "".join([line.text for line in lines]), "done": False})

    def closing(self, call: Call, _result: Result) -> bytes:
        """Write the figures."""
        return self._write({"text": "", "done": True, **figures(call)})

    def failure(self, call: Call, error: ServiceError) -> bytes:
        """Write the error as the last line."""
        return self._write({"done": True, **error_shapes.ours(error, call.request_id)})


class EventShape(LineShape):
    """Answers as server-sent events; an error is an event of its own kind."""

    stream_type = SSE

    def _write(self, message: dict[str, Any]) -> bytes:
        return (b"event: error\n" if "error" in message else b"") + as_event(message)


OPERATIONS = (
    Operation(
        method="POST",
        path="/llm/generate",
        handle=generate,
        summary="Ask for text.",
        description="A stream comes as lines of JSON, or as server-sent events where the request accepts "
        "`text/event-stream`. Its last message has `done: true`; a later error is a message.",
        tag="IA-0",
        takes=GenerateRequest,
        gives=GenerateAnswer,
        streams=(NDJSON, SSE),
        stream_gives=(GeneratePiece, GenerateEnd),
        stream_fails=GenerateError,
        is_limited=True,
        examples=(
            {"prompt": "What is the capital of France?", "params": {"max_tokens": 30}},
            {
                "prompt": "Qual é a capital da França?",
                "stream": True,
                "params": {"max_tokens": 30, "seed": 7},
            },
        ),
    ),
)
