"""`POST /v1/responses`: OpenAI's newer route, without its stored state.

body -> ResponsesRequest -> Wanted -> answer.py -> one object, or events (openai_events.py)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from ia0_daemon.engine.messages import Message
from ia0_daemon.gateway.answer import answer
from ia0_daemon.gateway.body import BodyReader, check_media_type
from ia0_daemon.gateway.guards import check_prompt, token_bound
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.routes import openai_items
from ia0_daemon.gateway.routes.openai_event_shapes import ErrorEvent, Event
from ia0_daemon.gateway.routes.openai_events import ResponsesShape
from ia0_daemon.gateway.routes.openai_fields import (
    Effort,
    Refusals,
    StreamOptions,
    TextFields,
    Tokens,
    TopLogprobs,
    options_of,
    refusal,
    refuse,
    schema_format,
    think_of,
    tool_of,
    tools_of,
)
from ia0_daemon.gateway.routes.openai_messages import chars
from ia0_daemon.gateway.routes.openai_response import Response as ResponseObject
from ia0_daemon.gateway.wanted import SSE, Wanted

if TYPE_CHECKING:
    from flask import Response

    from ia0_daemon.settings.schema import Limits

LOGPROBS = "message.output_text.logprobs"


class FunctionTool(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A tool that the model may call."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    """Taken, without effect: nothing holds the model to the schema of its arguments."""


class TextFormat(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What form the answer has."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None
    """Taken, without effect: the engine holds the answer to every schema that it can follow."""


class TextConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the text is written."""

    format: TextFormat | None = None
    verbosity: str | None = None


class Reasoning(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How much the model thinks before."""

    effort: Effort | None = None
    summary: str | None = None
    """Taken, without effect: what the model thought comes whole."""
    generate_summary: str | None = None
    """The older name of `summary`."""


class ResponsesRequest(TextFields, frozen=True, kw_only=True):
    """The body of `POST /v1/responses`."""

    input: str | Annotated[list[openai_items.InputItem], Meta(min_length=1)]
    instructions: str | None = None
    """What the model is told before the input."""
    max_output_tokens: Tokens | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    include: list[str] | None = None
    top_logprobs: TopLogprobs | None = None
    truncation: Literal["auto", "disabled"] | None = None
    """`auto` is IA-0's `truncate`."""
    stream_options: StreamOptions | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    background: bool | None = None
    prompt: Any = None
    max_tool_calls: int | None = None
    context_management: Any = None
    moderation: Any = None


_NO_STATE = "answers are not stored here; send the whole conversation as input"
REFUSED: Refusals = {
    "previous_response_id": ((), _NO_STATE),
    "conversation": ((), _NO_STATE),
    "store": ((False,), "answers are not stored here; leave it out, or send false"),
    "background": ((False,), "answers are not stored here; wait for it, or stream it"),
    "prompt": ((), "there are no stored prompts; send instructions and input"),
    "max_tool_calls": ((), "it bounds tools that OpenAI runs itself, which there are not"),
    "context_management": (([],), "nothing is compacted; truncation = auto shortens what does not fit"),
    "moderation": ((), "there is no moderation"),
}
_reader = BodyReader(ResponsesRequest)


def respond_to(visit: Visit) -> Response:
    """Answer one request."""
    check_media_type(visit.http)
    request = _reader.read(visit.http.get_data(cache=False))
    wanted = wanted_of(request, visit.live.settings.limits)
    return answer(visit, wanted, ResponsesShape(told(request)))


def wanted_of(request: ResponsesRequest, limits: Limits) -> Wanted:
    """Give what a body asks for. Raises `InvalidRequest`."""
    refuse(request, REFUSED)
    messages = _messages(request)
    fields = _fields(request)
    check_prompt(chars(messages, fields.get("tools")), limits, "input")
    bound = token_bound(request.max_output_tokens, limits, "max_output_tokens")
    return Wanted(
        model=request.model,
        messages=messages,
        options=options_of(request, bound),
        stream=bool(request.stream),
        fields=fields,
        may_resume=request.resume is not False and not fields,
        truncate=bool(request.truncate) or request.truncation == "auto",
        cache=request.cache,
    )


def told(request: ResponsesRequest) -> dict[str, Any]:
    """Give what the answer repeats of the request."""
    text = request.text
    return {
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "metadata": request.metadata or {},
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "temperature": request.temperature,
        "text": {"format": text.format if text and text.format else {"type": "text"}},
        "tool_choice": request.tool_choice or "auto",
        "tools": request.tools or [],
        "top_p": request.top_p,
        "truncation": "auto" if request.truncate else request.truncation or "disabled",
        "reasoning": {"effort": request.reasoning.effort if request.reasoning else None, "summary": None},
        "user": request.user,
    }


def _messages(request: ResponsesRequest) -> list[Message]:
    instructions = [Message("system", request.instructions)] if request.instructions else []
    if isinstance(request.input, str):
        return [*instructions, Message("user", request.input)]
    messages = openai_items.messages_of(request.input)
    if not messages:
        raise refusal("input", None, "there is no message among the items")
    return [*instructions, *messages]


def _fields(request: ResponsesRequest) -> dict[str, Any]:
    """Give what the engine's body has beside messages and options: nothing for a plain text."""
    given = [tool_of(each.name, each.description, each.parameters) for each in request.tools or ()]
    tools = tools_of(given, request.tool_choice, parallel=request.parallel_tool_calls)
    format_ = _format(request.text)
    fields: dict[str, Any] = {"tools": tools} if tools else {}
    fields |= {"format": format_} if format_ else {}
    if _wants_logprobs(request):
        fields |= {"logprobs": True, "top_logprobs": request.top_logprobs or 0}
    if request.reasoning is not None and request.reasoning.effort is not None:
        fields["think"] = think_of(request.reasoning.effort)
    return fields


def _format(text: TextConfig | None) -> Any:
    if text is None:
        return None
    if text.verbosity not in (None, "medium"):
        rule = "the engine has nothing like it; say it in the instructions"
        raise refusal("text.verbosity", text.verbosity, rule)
    if text.format is None or text.format.type == "text":
        return None
    if text.format.type == "json_object":
        return "json"
    return schema_format(text.format.schema, "text.format.schema")


def _wants_logprobs(request: ResponsesRequest) -> bool:
    """Say whether logprobs are wanted; what else `include` may ask for only OpenAI's own tools have."""
    included = request.include or []
    unknown = [each for each in included if each not in (LOGPROBS, "reasoning.encrypted_content")]
    if unknown:
        raise refusal("include", unknown[0], f"known here: {LOGPROBS}, reasoning.encrypted_content")
    return LOGPROBS in included or bool(request.top_logprobs)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/responses",
        handle=respond_to,
        summary="Answer an input, as OpenAI's responses do, without stored state.",
        tag="OpenAI",
        takes=ResponsesRequest,
        gives=ResponseObject,
        streams=SSE,
        stream_gives=get_args(Event),
        stream_fails=ErrorEvent,
        is_limited=True,
        examples=({"model": "qwen2-7b", "input": "What is the capital of France?", "max_output_tokens": 30},),
    ),
)
