"""The failures that a request can meet, with Ollama's status and text.

    EngineFailure (500)
    +-- StatusFailure      a status of its own: bad input, not found, or what llama-server answered
    +-- Cancelled          the caller has gone; nobody is there to answer (499)

Owns statuses and fixed texts. Never writes to a connection.
"""

from __future__ import annotations

from http import HTTPStatus

MAX_QUEUE_TEXT = "server busy, please try again.  maximum pending requests exceeded"
RUNNER_STOPPED_TEXT = (
    "model runner has unexpectedly stopped, this may be due to resource limitations"
    " or an internal error, check ollama server logs for details"
)
PROMPT_TOO_LONG_TEXT = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt,"
    " adjust the context length in settings, or use a model with a longer context length"
)


class EngineFailure(Exception):
    """Something went wrong; without a status of its own it is a 500."""

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR


class StatusFailure(EngineFailure):
    """A failure with its own HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Cancelled(EngineFailure):
    """The caller hung up, or the engine is stopping."""

    status = 499

    def __init__(self) -> None:
        super().__init__("request canceled")


def bad_request(text: str) -> StatusFailure:
    """A 400 with this text."""
    return StatusFailure(HTTPStatus.BAD_REQUEST, text)


def model_not_found(name: str) -> StatusFailure:
    """The 404 that the routes answer for a model that is not on the disk."""
    return StatusFailure(HTTPStatus.NOT_FOUND, f"model '{name}' not found")


def model_not_pulled(name: str) -> StatusFailure:
    """The 404 of the routes that learn it from the scheduler."""
    return StatusFailure(HTTPStatus.NOT_FOUND, f'model "{name}" not found, try pulling it first')
