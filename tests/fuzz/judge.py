"""What is wrong with what came of a shot.

Owns the rules: an answer in time, no failure of the daemon's, errors in the shape that the path's clients
read. Pure.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ia0_daemon.gateway.error_shapes import OURS_SHAPE, shape_of
from tests.fuzz.shot import Shot
from tests.fuzz.wire import Answer, Outcome

# What a healthy engine behind a healthy daemon may make of a bad request: it is refused, or it is too much.
_ALLOWED_ABOVE_499 = {503}
# What is no request, or none of this path's, is told in our own shape; the path was not read.
_BEFORE_ANY_PATH = {400, 408, 413, 414, 431, 501, 503}


def faults(shot: Shot, path: str, outcome: Outcome) -> list[str]:
    """Give what is wrong, in short sentences that count well; nothing where all is as it should be."""
    found = [f"no HTTP: {outcome.trouble}"] if outcome.trouble else []
    if outcome.end == "hung":
        found.append("hung: neither an answer nor an end in time")
    if outcome.end == "closed" and len(outcome.answers) < shot.answers:
        found.append("closed without the answer that was due")
    for answer in outcome.answers:
        found += _of_answer(answer, path if shot.is_here else "/", has_body=shot.has_body)
    return found


def _of_answer(answer: Answer, path: str, *, has_body: bool) -> list[str]:
    found = []
    if answer.status >= 500 and answer.status not in _ALLOWED_ABOVE_499:
        found.append(f"status {answer.status}: {answer.body[:300]!r}")
    if answer.status >= 400 and has_body and not is_health(answer, path):
        found += _of_error(answer, path)
    if answer.status < 300 and answer.body and not _is_json(answer):
        found.append("an answer that is no JSON")
    return found


def is_health(answer: Answer, path: str) -> bool:
    """Whether it is no error, but how the daemon is."""
    return path.startswith("/health") and answer.status == 503


def _of_error(answer: Answer, path: str) -> list[str]:
    if answer.media_type != "application/json":
        return [f"an error as {answer.media_type or 'nothing'} (status {answer.status})"]
    shapes: list[Any] = [shape_of(path).kind]
    if answer.status in _BEFORE_ANY_PATH or not path.startswith(("/v1/", "/api/")):
        shapes.append(OURS_SHAPE.kind)
    if any(_passes(answer.body, shape) for shape in shapes):
        return []
    return [f"an error in another shape (status {answer.status}): {answer.body[:200]!r}"]


def _passes(body: bytes, shape: Any) -> bool:
    try:
        msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError:
        return False
    return True


def _is_json(answer: Answer) -> bool:
    """Whether it is, where it says so."""
    if answer.media_type != "application/json":
        return True
    try:
        msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True
