"""How the bytes of an answer come to the caller: a stream's pieces, its end, its errors.

Owns the order of a stream and what each kind of end is. Never talks to the
engine and never knows a route's shape: both are given.

    opening, piece ... -> closing | failure
"""

from __future__ import annotations

import logging
import time
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from ia0_daemon.errors import CallerGone, InternalError, ServiceError
from ia0_daemon.gateway.call import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.wanted import Result, Shape

log = logging.getLogger(__name__)

encode = msgspec.json.Encoder().encode
# nginx would hold the tokens back, and a cache would keep them.
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def headers(call: Call) -> dict[str, str]:
    """Give what every answer for text says in its headers, so that SDKs' callers can read it, too."""
    said = {"X-IA0-Model": call.model, "X-IA0-Route": call.reason}
    if call.cached:
        said["X-IA0-Cached"] = "true"
    if call.passed_over:
        said["X-IA0-Passed-Over"] = ", ".join(call.passed_over)
    if call.truncated:
        said["X-IA0-Truncated"] = "{prompt_tokens} of {context_tokens} tokens".format(**call.truncated)
    return said


def as_line(message: object) -> bytes:
    """Write one message of an NDJSON stream."""
    return encode(message) + b"\n"


def as_event(message: object) -> bytes:
    """Write one message of a stream of server-sent events."""
    return b"data: " + encode(message) + b"\n\n"


def stream(
    call: Call,
    shape: Shape,
    first: list[ChatLine] | None,
    pieces: Iterable[list[ChatLine]],
    finish: Callable[[], Result],
) -> Iterator[bytes]:
    """Give the bytes of a stream, piece by piece.

    `finish` is called after the last piece, and gives the whole. Whatever goes
    wrong after the first byte ends in a failure that the shape writes, so that no stream just stops.
    """
    try:
        if opening := shape.opening(call):
            yield opening
        for lines in chain((first,) if first else (), pieces):
            data = shape.piece(call, lines)
            call.pieces += len(lines)
            # How long the caller takes to receive it is not the daemon's time.
            began = time.monotonic()
            yield data
            call.writing_s += time.monotonic() - began
        yield shape.closing(call, finish())
    except GeneratorExit:
        _note_gone(call)
        raise
    except CallerGone as error:
        call.note_failure(error)
    except ServiceError as error:
        yield _failure(call, shape, error)
    except Exception:
        # The edge of a stream: its status line is out, so the error handler of the app cannot be reached.
        log.exception("a stream failed", extra={"request_id": call.request_id})
        yield _failure(call, shape, InternalError())


def _failure(call: Call, shape: Shape, error: ServiceError) -> bytes:
    call.note_failure(error)
    return shape.failure(call, error)


def _note_gone(call: Call) -> None:
    if call.code == OK and not call.finish_reason:
        call.note_failure(CallerGone("the caller hung up before the answer was complete"))
