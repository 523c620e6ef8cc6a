"""`POST /v1/chat/completions`: what most SDKs ask.

body -> ChatRequest -> Wanted -> answer.py -> one object, or chunks (openai_chat_shape.py)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ia0_daemon.gateway.answer import answer
from ia0_daemon.gateway.body import BodyReader, check_media_type
from ia0_daemon.gateway.guards import check_prompt, token_bound
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.routes.openai_chat_shape import ChatChunk, ChatCompletion, ChatShape
from ia0_daemon.gateway.routes.openai_chunks import END
from ia0_daemon.gateway.routes.openai_fields import (
    Effort,
    JsonSchema,
    Refusals,
    SamplingFields,
    StreamOptions,
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
from ia0_daemon.gateway.routes.openai_messages import Messages, chars, messages_of
from ia0_daemon.gateway.wanted import SSE, Wanted

if TYPE_CHECKING:
    from flask import Response

    from ia0_daemon.settings.schema import Limits


class Function(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a tool is called, does and takes."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    """Taken, without effect: nothing holds the model to the schema of its arguments."""


class Tool(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A tool that the model may call."""

    type: Literal["function"]
    function: Function


class ResponseFormat(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What form the answer has."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(SamplingFields, frozen=True, kw_only=True):
    """The body of `POST /v1/chat/completions`."""

    messages: Messages
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    """The newer name of `max_tokens`."""
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None
    top_logprobs: TopLogprobs | None = None
    reasoning_effort: Effort | None = None
    n: int | None = None
    store: bool | None = None
    prediction: Any = None
    """Taken, without effect: it changes OpenAI's speed, never the answer."""
    modalities: list[str] | None = None
    verbosity: str | None = None
    logit_bias: dict[str, float] | None = None
    audio: Any = None
    functions: Any = None
    function_call: Any = None
    web_search_options: Any = None
    moderation: Any = None


REFUSED: Refusals = {
    "n": ((1,), "one answer is given for a request; ask again for another one"),
    "logit_bias": (({},), "the engine cannot favour single tokens"),
    "modalities": ((["text"],), 'answers are texts: ["text"] alone is taken'),
    "audio": ((), "answers are texts"),
    "functions": (([],), "the old form of tools; send tools"),
    "function_call": (("auto", "none"), "the old form of tool_choice; send tools and tool_choice"),
    "web_search_options": ((), "the daemon searches nothing; give a tool that does"),
    "moderation": ((), "there is no moderation"),
    "verbosity": (("medium",), "the engine has nothing like it; say it in a system message"),
    "store": ((False,), "answers are not stored for later reading"),
}
_reader = BodyReader(ChatRequest)


def chat(visit: Visit) -> Response:
    """Answer one request."""
    check_media_type(visit.http)
    request = _reader.read(visit.http.get_data(cache=False))
    wanted = wanted_of(request, visit.live.settings.limits)
    options = request.stream_options
    with_usage = options is not None and bool(options.include_usage)
    return answer(visit, wanted, ChatShape(visit.live, with_usage=with_usage))


def wanted_of(request: ChatRequest, limits: Limits) -> Wanted:
    """Give what a body asks for. Raises `InvalidRequest`."""
    refuse(request, REFUSED)
    messages = messages_of(request.messages)
    fields = _fields(request)
    check_prompt(chars(messages, fields.get("tools")), limits, "messages")
    return Wanted(
        model=request.model,
        messages=messages,
        options=options_of(request, _token_bound(request, limits)),
        stream=bool(request.stream),
        fields=fields,
        may_resume=request.resume is not False and not fields,
        truncate=bool(request.truncate),
        cache=request.cache,
    )


def _token_bound(request: ChatRequest, limits: Limits) -> int:
    old, new = request.max_tokens, request.max_completion_tokens
    if old is not None and new is not None and old != new:
        raise refusal("max_tokens", old, f"max_completion_tokens says {new}; send one of them")
    name = "max_tokens" if new is None else "max_completion_tokens"
    return token_bound(old if new is None else new, limits, name)


def _fields(request: ChatRequest) -> dict[str, Any]:
    """Give what the engine's body has beside messages and options: nothing for a plain text."""
    given = [
        tool_of(each.function.name, each.function.description, each.function.parameters)
        for each in request.tools or ()
    ]
    tools = tools_of(given, request.tool_choice, parallel=request.parallel_tool_calls)
    format_ = _format(request.response_format)
    if request.top_logprobs is not None and not request.logprobs:
        raise refusal("top_logprobs", request.top_logprobs, "it needs logprobs = true")
    fields: dict[str, Any] = {"tools": tools} if tools else {}
    fields |= {"format": format_} if format_ else {}
    fields |= {"logprobs": True, "top_logprobs": request.top_logprobs or 0} if request.logprobs else {}
    if request.reasoning_effort is not None:
        fields["think"] = think_of(request.reasoning_effort)
    return fields


def _format(wanted: ResponseFormat | None) -> Any:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return "json"
    schema = wanted.json_schema.schema if wanted.json_schema is not None else None
    return schema_format(schema, "response_format.json_schema.schema")


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/chat/completions",
        handle=chat,
        summary="Answer a conversation, as OpenAI's chat completions do.",
        tag="OpenAI",
        takes=ChatRequest,
        gives=ChatCompletion,
        streams=SSE,
        stream_gives=(ChatChunk,),
        stream_end=END,
        is_limited=True,
        examples=(
            {
                "model": "qwen2-7b",
                "messages": [{"role": "user", "content": "What is the capital of France?"}],
                "max_tokens": 30,
            },
        ),
    ),
)
