"""The engine's own answers, handed through: whole for questions, in pieces for transfers.

Owns what becomes of an answer on its way: status and text stay the engine's, the
log line and the metrics learn what it was. Never reads a body but to find an error in it.

    ask_shortly -> the whole body;   hand_through -> a response that is written as it comes
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from flask import Response

from ia0_daemon.clock import timestamp
from ia0_daemon.engine import failures
from ia0_daemon.engine.messages import Failure
from ia0_daemon.engine.relay import Relay
from ia0_daemon.errors import (
    CallerGone,
    EngineError,
    InvalidRequest,
    NotFound,
    ServiceError,
)
from ia0_daemon.gateway import error_shapes
from ia0_daemon.gateway.error_shapes import OllamaError
from ia0_daemon.gateway.respond import STREAM_HEADERS, as_line, encode
from ia0_daemon.settings import engine_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ia0_daemon.engine.relay import Relayed
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.operation import Visit

# How much of a stream's end is kept, to see whether its last line is an error, in bytes.
END_BYTES = 4096

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Body:
    """A whole answer of the engine's."""

    status: int
    data: bytes


def relay_of(visit: Visit) -> Relay:
    """Give the way to the engine of the settings in force."""
    engine = visit.live.settings.engine
    return Relay(engine_address.parse(engine.host), engine.connect_timeout_s)


def ask_shortly(visit: Visit, method: str, path: str, body: bytes = b"") -> Body:
    """Ask what the engine answers at once. Raises `Overloaded` and what `Relay.ask` does."""
    visit.service.admission.enter(visit.call.resources, visit.live.settings.server.max_in_flight)
    timeout_s = visit.live.settings.engine.control_timeout_s
    relayed = relay_of(visit).ask(method, path, visit.call.patience, body=body, timeout_s=timeout_s)
    try:
        return Body(relayed.status, relayed.whole())
    finally:
        relayed.close()


def read_answer(visit: Visit, path: str, kind: type[T]) -> T:
    """GET what the engine says of its models. Raises `EngineError` where it says something else."""
    found = ask_shortly(visit, "GET", path)
    refuse_unless_done(found, "")
    try:
        return msgspec.json.decode(found.data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"the engine's answer is not what Ollama's API says: {error}") from error


def refuse_unless_done(found: Body, tag: str) -> None:
    """Raise the engine's refusal as an error of ours, where it is one."""
    if found.status >= 400:
        raise failures.of_response(found.status, found.data, tag)


def hand_through(visit: Visit, relayed: Relayed) -> Response:
    """Write the engine's answer as it comes; the request's end closes it."""
    call = visit.call
    call.resources.callback(relayed.close)
    if relayed.status >= 400:
        return refused(call, relayed.status, relayed.text())
    headers = {} if relayed.size is None else {"Content-Length": str(relayed.size)}
    call.stream = relayed.size is None
    response = Response(_written(call, relayed), relayed.status, headers | STREAM_HEADERS)
    response.headers["Content-Type"] = relayed.kind or "application/json"
    return response


def refused(call: Call, status: int, body: bytes) -> Response:
    """Tell the engine's refusal with its own status and text."""
    text = _error_in(body) or body.decode("utf-8", "replace").strip() or f"status {status} without a text"
    call.status, call.code, call.error = status, _code_of(status), text
    said = OllamaError(
        error=text,
        code=call.code,
        details={"engine_status": status},
        timestamp=timestamp(),
        request_id=call.request_id,
    )
    return Response(encode(said), status, mimetype="application/json")


def _code_of(status: int) -> str:
    if status == NotFound.status:
        return NotFound.code
    return InvalidRequest.code if status < 500 else EngineError.code


def _written(call: Call, relayed: Relayed) -> Iterator[bytes]:
    """Give the body; what cuts a stream is told in its last line."""
    end = b""
    try:
        for piece in relayed.pieces():
            end = (end + piece)[-END_BYTES:]
            yield piece
        _note_end(call, end)
    except GeneratorExit:
        call.note_failure(CallerGone("the caller hung up before the answer was complete"))
        raise
    except CallerGone as error:
        call.note_failure(error)
    except ServiceError as error:
        call.note_failure(error)
        if relayed.size is None:
            yield as_line(error_shapes.ollama(error, call.request_id))


def _note_end(call: Call, end: bytes) -> None:
    """Take note of a stream that ended with an error line: its status has said 200."""
    text = _error_in(end.rstrip().rpartition(b"\n")[2])
    if text:
        call.note_failure(EngineError(f"the engine failed: {text}", engine_error=text))


def _error_in(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=Failure).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def merged(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """Give an entry of the engine's lists under another name."""
    return {**entry, "name": name, "model": name}
