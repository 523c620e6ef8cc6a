"""The answer of `/v1/responses`: one object with items of output.

Owns its shape, whole and while it is written. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ia0_daemon.gateway.routes.openai_answers import CalledTool, logprobs, notes, now

if TYPE_CHECKING:
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.wanted import Result

Status = Literal["in_progress", "completed", "incomplete"]


class OutputText(msgspec.Struct):
    """A text that the model wrote."""

    text: str
    type: Literal["output_text"] = "output_text"
    annotations: list[Any] = []
    logprobs: list[dict[str, Any]] = []


class SummaryText(msgspec.Struct):
    """What the model thought."""

    text: str
    type: Literal["summary_text"] = "summary_text"


class OutputMessage(msgspec.Struct, tag_field="type", tag="message"):
    """A message of the model."""

    id: str
    status: Status
    content: list[OutputText]
    role: Literal["assistant"] = "assistant"


class OutputReasoning(msgspec.Struct, tag_field="type", tag="reasoning"):
    """What the model thought before it wrote."""

    id: str
    summary: list[SummaryText]


class OutputCall(msgspec.Struct, tag_field="type", tag="function_call"):
    """A call that the model asks for."""

    id: str
    call_id: str
    name: str
    arguments: str
    status: Status


Item = OutputMessage | OutputReasoning | OutputCall


class ResponseUsage(msgspec.Struct):
    """The tokens. OpenAI's schema asks for the details, which the engine does not tell: they are 0."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens_details: dict[str, int]


class Incomplete(msgspec.Struct):
    """Why an answer is not complete."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class Response(msgspec.Struct, kw_only=True):
    """The whole answer."""

    id: str
    created_at: int
    status: Status
    model: str
    output: list[Item]
    object: Literal["response"] = "response"
    completed_at: int | None = None
    error: None = None
    incomplete_details: Incomplete | None = None
    usage: ResponseUsage | None = None
    instructions: str | None
    max_output_tokens: int | None
    metadata: Any
    parallel_tool_calls: bool
    temperature: float | None
    text: Any
    tool_choice: Any
    tools: Any
    top_p: float | None
    truncation: str
    reasoning: Any
    user: str | None
    previous_response_id: None = None
    store: bool = False
    background: bool = False
    ia0: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


def begun(call: Call, told: dict[str, Any], created_at: int) -> Response:
    """Give the object as it is before the first word."""
    return Response(
        id=f"resp_{call.request_id}",
        created_at=created_at,
        status="in_progress",
        model=call.model,
        output=[],
        **told,
    )


def complete(response: Response, call: Call, result: Result, output: list[Item]) -> Response:
    """Give the object as it is at the end."""
    is_cut = result.done_reason == "length"
    return msgspec.structs.replace(
        response,
        status="incomplete" if is_cut else "completed",
        completed_at=None if is_cut else now(),
        incomplete_details=Incomplete() if is_cut else None,
        output=output,
        usage=ResponseUsage(
            call.prompt_tokens,
            call.completion_tokens,
            call.prompt_tokens + call.completion_tokens,
            {"cached_tokens": 0, "cache_write_tokens": 0},
            {"reasoning_tokens": 0},
        ),
        ia0=notes(call),
    )


def message(call: Call, result: Result) -> OutputMessage:
    """Give the text as an item."""
    status: Status = "incomplete" if result.done_reason == "length" else "completed"
    text = OutputText(result.text, logprobs=logprobs(result.logprobs))
    return OutputMessage(f"msg_{call.request_id}", status, [text])


def reasoning(call: Call, thought: str) -> OutputReasoning:
    """Give what was thought as an item."""
    return OutputReasoning(f"rs_{call.request_id}", [SummaryText(thought)] if thought else [])


def tool_call(call: Call, tool: CalledTool, number: int, *, status: Status = "completed") -> OutputCall:
    """Give a call as an item; `number` tells those of one answer apart."""
    arguments = tool.function.arguments if status == "completed" else ""
    return OutputCall(f"fc_{call.request_id}_{number}", tool.id, tool.function.name, arguments, status)
