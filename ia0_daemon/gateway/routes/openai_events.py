"""The events of `/v1/responses`.

    created, in_progress -> (thinking) -> item, part, text delta ... done -> (calls) -> completed | incomplete

Owns their order and numbers. A plain text is put between pieces that are made
once, as in openai_chunks.py. An error in mid-stream is an event `error`, which
the SDKs raise, and nothing follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ia0_daemon.gateway import error_shapes
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.routes import openai_response
from ia0_daemon.gateway.routes.openai_answers import called, logprobs, now
from ia0_daemon.gateway.routes.openai_event_shapes import (
    ArgumentsDelta,
    ArgumentsDone,
    ErrorEvent,
    ItemEvent,
    PartEvent,
    StateEvent,
    SummaryDelta,
    SummaryDone,
    SummaryPartEvent,
    TextDelta,
    TextDone,
)
from ia0_daemon.gateway.wanted import SSE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ia0_daemon.engine.messages import ChatLine
    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.routes.openai_answers import CalledTool
    from ia0_daemon.gateway.routes.openai_event_shapes import Event
    from ia0_daemon.gateway.routes.openai_response import Item, OutputMessage
    from ia0_daemon.gateway.wanted import Result

_DELTA: Literal["response.output_text.delta"] = "response.output_text.delta"
_End = Literal["response.completed", "response.incomplete"]
_DELTA_START = (
    f'event: {_DELTA}\ndata: {{"type":"{_DELTA}","content_index":0,"logprobs":[],"sequence_number":'
).encode()


class ResponsesShape:
    """Answers as one object, or as events. One is made for each request."""

    stream_type = SSE

    def __init__(self, told: dict[str, Any]) -> None:
        """`told`: what the answer repeats of the request."""
        self._told = told
        self._created_at = now()
        self._number = self._index = 0
        self._output: list[Item] = []
        self._tools: list[CalledTool] = []
        self._thought: list[str] = []
        self._is_thinking = self._is_writing = False
        self._place = b""

    def whole(self, call: Call, result: Result) -> bytes:
        """Write a whole answer."""
        output: list[Item] = []
        if result.thinking:
            output.append(openai_response.reasoning(call, result.thinking))
        if result.text or not result.tool_calls:
            output.append(openai_response.message(call, result))
        for at, tool in enumerate(called(result.tool_calls)):
            output.append(openai_response.tool_call(call, tool, at))
        return encode(openai_response.complete(self._begun(call), call, result, output))

    def opening(self, call: Call) -> bytes:
        """Write that it begins."""
        response = self._begun(call)
        written = self._event(StateEvent("response.created", self._next(), response))
        return written + self._event(StateEvent("response.in_progress", self._next(), response))

    def piece(self, call: Call, lines: Sequence[ChatLine]) -> bytes:
        """Write an event for each line, and those that begin an item."""
        parts = []
        for line in lines:
            if line.thought and not self._is_writing:
                parts.append(self._think(call, line.thought))
            if line.text or line.logprobs:
                if not self._is_writing:
                    parts.append(self._begin_text(call))
                parts.append(self._text(line))
            if line.calls:
                self._tools += called(line.calls)
        return b"".join(parts)

    def closing(self, call: Call, result: Result) -> bytes:
        """Write the ends of all items, and the whole."""
        parts = [self._end_thinking(call)]
        if result.text or self._is_writing or not self._tools:
            if not self._is_writing:
                parts.append(self._begin_text(call))
            parts.append(self._end_text(openai_response.message(call, result)))
        parts += [self._tool(call, tool, at) for at, tool in enumerate(self._tools)]
        response = openai_response.complete(self._begun(call), call, result, self._output)
        kind: _End = "response.incomplete" if response.status == "incomplete" else "response.completed"
        parts.append(self._event(StateEvent(kind, self._next(), response)))
        return b"".join(parts)

    def failure(self, call: Call, error: ServiceError) -> bytes:
        """Write an error, with the fields of an event and those that OpenAI's SDKs raise."""
        told = error_shapes.openai(error, call.request_id)
        error_ = told["error"]
        said = (error_["code"], error_["message"], error_["param"], error_)
        return self._event(ErrorEvent("error", self._next(), *said))

    def _begun(self, call: Call) -> openai_response.Response:
        return openai_response.begun(call, self._told, self._created_at)

    def _next(self) -> int:
        number, self._number = self._number, self._number + 1
        return number

    def _event(self, event: Event | ErrorEvent) -> bytes:
        return b"event: " + event.type.encode() + b"\ndata: " + encode(event) + b"\n\n"

    def _text(self, line: ChatLine) -> bytes:
        if line.logprobs:
            found = logprobs(line.logprobs)
            place = (self._item_id, self._index, 0)
            return self._event(TextDelta(_DELTA, self._next(), *place, line.text, found))
        return _DELTA_START + b"%d" % self._next() + self._place + encode(line.text) + b"}\n\n"

    def _begin_text(self, call: Call) -> bytes:
        written = self._end_thinking(call)
        self._is_writing = True
        self._item_id = f"msg_{call.request_id}"
        self._place = b',"item_id":"%s","output_index":%d,"delta":' % (self._item_id.encode(), self._index)
        written += self._begin_item(openai_response.OutputMessage(self._item_id, "in_progress", []))
        place, part = (self._item_id, self._index, 0), openai_response.OutputText("")
        return written + self._event(PartEvent("response.content_part.added", self._next(), *place, part))

    def _end_text(self, item: OutputMessage) -> bytes:
        part, place = item.content[0], (item.id, self._index, 0)
        said = (part.text, part.logprobs)
        written = self._event(TextDone("response.output_text.done", self._next(), *place, *said))
        written += self._event(PartEvent("response.content_part.done", self._next(), *place, part))
        return written + self._end_item(item)

    def _think(self, call: Call, thought: str) -> bytes:
        written = b""
        place = (f"rs_{call.request_id}", self._index, 0)
        if not self._is_thinking:
            self._is_thinking = True
            written += self._begin_item(openai_response.reasoning(call, ""))
            begun = SummaryPartEvent(
                "response.reasoning_summary_part.added", self._next(), *place, openai_response.SummaryText("")
            )
            written += self._event(begun)
        self._thought.append(thought)
        return written + self._event(
            SummaryDelta("response.reasoning_summary_text.delta", self._next(), *place, thought)
        )

    def _end_thinking(self, call: Call) -> bytes:
        if not self._is_thinking:
            return b""
        self._is_thinking = False
        item = openai_response.reasoning(call, "".join(self._thought))
        part, place = item.summary[0], (item.id, self._index, 0)
        written = self._event(
            SummaryDone("response.reasoning_summary_text.done", self._next(), *place, part.text)
        )
        written += self._event(
            SummaryPartEvent("response.reasoning_summary_part.done", self._next(), *place, part)
        )
        return written + self._end_item(item)

    def _tool(self, call: Call, tool: CalledTool, at: int) -> bytes:
        item = openai_response.tool_call(call, tool, at)
        place = (item.id, self._index)
        written = self._begin_item(openai_response.tool_call(call, tool, at, status="in_progress"))
        written += self._event(
            ArgumentsDelta("response.function_call_arguments.delta", self._next(), *place, item.arguments)
        )
        done = ArgumentsDone(
            "response.function_call_arguments.done", self._next(), *place, item.name, item.arguments
        )
        return written + self._event(done) + self._end_item(item)

    def _begin_item(self, item: Item) -> bytes:
        return self._event(ItemEvent("response.output_item.added", self._next(), self._index, item))

    def _end_item(self, item: Item) -> bytes:
        written = self._event(ItemEvent("response.output_item.done", self._next(), self._index, item))
        self._output.append(item)
        self._index += 1
        return written
