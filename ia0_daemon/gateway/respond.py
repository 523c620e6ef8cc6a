"""How an answer is written: one JSON object, or lines as the tokens come.

Owns the shapes of `/llm/generate`'s answers. Never talks to the engine: it is
given the texts and asks for the figures once they have all come.

    texts ... -> {"text"} lines ... -> the line with the figures | the line with the error
"""

from __future__ import annotations

import logging
import time
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from ia0_daemon.clock import timestamp
from ia0_daemon.errors import CallerGone, InternalError, ServiceError
from ia0_daemon.gateway.call import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ia0_daemon.gateway.call import Call

log = logging.getLogger(__name__)

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
encode = msgspec.json.Encoder().encode


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
    }
    if call.requested_model and call.requested_model != call.model:
        said["requested_model"] = call.requested_model
    if call.resumed:
        said["resumed"], said["resumed_at"] = call.resumed, call.resumed_at
    return said


def as_line(message: dict[str, Any]) -> bytes:
    """Write one message of an NDJSON stream."""
    return encode(message) + b"\n"


def as_event(message: dict[str, Any]) -> bytes:
    """Write one message of a stream of server-sent events; an error is an event of its own kind."""
    kind = b"event: error\n" if "error" in message else b""
    return kind + b"data: " + encode(message) + b"\n\n"


def stream(
    call: Call, first: str, texts: Iterable[str], finish: Callable[[], None], write: Callable[..., bytes]
) -> Iterator[bytes]:
    """Give the bytes of a stream, piece by piece.

    `finish` is called after the last text, and takes the figures. Whatever goes
    wrong after the first byte ends in an error line, so that no stream just stops.
    """
    try:
        for text in chain((first,) if first else (), texts):
            yield from _timed(call, write({"text": text, "done": False}))
        finish()
        yield from _timed(call, write({"text": "", "done": True, **figures(call)}))
    except GeneratorExit:
        _note_gone(call)
        raise
    except CallerGone as error:
        call.note_failure(error)
    except ServiceError as error:
        yield write(_error_line(call, error))
    except Exception:
        # The edge of a stream: its status line is out, so the error handler of the app cannot be reached.
        log.exception("a stream failed", extra={"request_id": call.request_id})
        yield write(_error_line(call, InternalError()))


def _timed(call: Call, data: bytes) -> Iterator[bytes]:
    """Hand over one piece; how long the caller takes to receive it is not the daemon's time."""
    began = time.monotonic()
    try:
        yield data
    finally:
        call.writing_s += time.monotonic() - began


def _error_line(call: Call, error: ServiceError) -> dict[str, Any]:
    call.note_failure(error)
    return {"done": True, **error.body(), "request_id": call.request_id}


def _note_gone(call: Call) -> None:
    if call.code == OK and not call.finish_reason:
        call.note_failure(CallerGone("the caller hung up before the answer was complete"))
