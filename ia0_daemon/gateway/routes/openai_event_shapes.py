"""What the events of `/v1/responses` say, as types: the events are made of them, and so is their description.

Owns the shapes. Never orders, numbers or writes an event: openai_events.py does.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ia0_daemon.gateway.error_shapes import OpenAIErrorBody
from ia0_daemon.gateway.routes.openai_response import Item, OutputText, Response, SummaryText


class StateEvent(msgspec.Struct):
    """The whole answer, as it is when it begins and when it has ended."""

    type: Literal["response.created", "response.in_progress", "response.completed", "response.incomplete"]
    sequence_number: int
    """The place of the event in its stream, from 0 on."""
    response: Response


class ItemEvent(msgspec.Struct):
    """An item of the output begins or ends."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    sequence_number: int
    output_index: int
    item: Item


class PartEvent(msgspec.Struct):
    """The part of a message that is its text begins or ends."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    part: OutputText


class TextDelta(msgspec.Struct):
    """A piece of the text."""

    type: Literal["response.output_text.delta"]
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    delta: str
    logprobs: list[dict[str, Any]]


class TextDone(msgspec.Struct):
    """The whole text."""

    type: Literal["response.output_text.done"]
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    text: str
    logprobs: list[dict[str, Any]]


class SummaryPartEvent(msgspec.Struct):
    """What the model thinks begins or ends."""

    type: Literal["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]
    sequence_number: int
    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText


class SummaryDelta(msgspec.Struct):
    """A piece of what the model thinks."""

    type: Literal["response.reasoning_summary_text.delta"]
    sequence_number: int
    item_id: str
    output_index: int
    summary_index: int
    delta: str


class SummaryDone(msgspec.Struct):
    """All that the model thought."""

    type: Literal["response.reasoning_summary_text.done"]
    sequence_number: int
    item_id: str
    output_index: int
    summary_index: int
    text: str


class ArgumentsDelta(msgspec.Struct):
    """The arguments of a call; the engine gives them in one piece."""

    type: Literal["response.function_call_arguments.delta"]
    sequence_number: int
    item_id: str
    output_index: int
    delta: str


class ArgumentsDone(msgspec.Struct):
    """The arguments of a call, and the function's name."""

    type: Literal["response.function_call_arguments.done"]
    sequence_number: int
    item_id: str
    output_index: int
    name: str
    arguments: str


class ErrorEvent(msgspec.Struct):
    """An error in mid-stream: the fields of an event, and beside them the body that OpenAI's SDKs raise."""

    type: Literal["error"]
    sequence_number: int
    code: str
    message: str
    param: str | None
    error: OpenAIErrorBody


Event = (
    StateEvent
    | ItemEvent
    | PartEvent
    | TextDelta
    | TextDone
    | SummaryPartEvent
    | SummaryDelta
    | SummaryDone
    | ArgumentsDelta
    | ArgumentsDone
)
