"""Delivers an answer: line by line as it comes, or whole at its end.

    deliver(exchange, lines, stream) : each line is an Ollama object

Owns the difference between the two, and where a failure goes: before the first
line it has its status, after it it is one more line of a 200. Lines without a
last one are delivered as they are: that is a dirty end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from ia0_daemon.embedded.exchange import Exchange

Line = dict[str, Any]


def deliver(
    exchange: Exchange, lines: Iterator[Line], *, stream: bool, join: Callable[[list[Line]], Line]
) -> None:
    """Send the lines, or the one object that ``join`` makes of them."""
    if not stream:
        exchange.send_json(HTTPStatus.OK, join(list(lines)))
        return
    for line in lines:
        exchange.send_line(line)
    exchange.end_stream()


def join_text(lines: list[Line], get: Callable[[Line], str], put: Callable[[Line, str], None]) -> Line:
    """The last line with the texts of all of them, and all their log probabilities."""
    last = lines[-1]
    put(last, "".join(get(line) for line in lines))
    logprobs = [entry for line in lines for entry in line.get("logprobs", ())]
    if logprobs:
        last["logprobs"] = logprobs
    return last
