"""``POST /api/chat``: answer the last message, or go on from it when it is the assistant's (prefill).

bind -> check -> load or unload, or: runner -> prompt -> pieces -> lines
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ia0_daemon.embedded.binding import bind, check_object
from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.completion import Piece
from ia0_daemon.embedded.deliver import Line, deliver, join_text
from ia0_daemon.embedded.engine import Engine
from ia0_daemon.embedded.exchange import Exchange
from ia0_daemon.embedded.failures import bad_request
from ia0_daemon.embedded.inference_fields import COMMON_FIELDS, Common, completion, read_common, require
from ia0_daemon.embedded.models import Model
from ia0_daemon.embedded.options import Options
from ia0_daemon.embedded.prompt import chat_prompt
from ia0_daemon.embedded.runner import Runner
from ia0_daemon.embedded.template import Message
from ia0_daemon.embedded.told import tell_prefill
from ia0_daemon.embedded.tool_parser import ToolParser, with_tool_calls
from ia0_daemon.embedded.wire import Stopwatch, timestamp, trailer

FIELDS = {**COMMON_FIELDS, "messages": "[]api.Message", "tools": "[]api.Tool"}
MESSAGE_FIELDS = {
    "role": "string",
    "content": "string",
    "thinking": "string",
    "images": "[]string",
    "tool_calls": "[]api.ToolCall",
    "tool_name": "string",
    "tool_call_id": "string",
}


@dataclass(frozen=True)
class _Request:
    """The whole request."""

    common: Common
    messages: list[Message]
    tools: list[Any]
    images: tuple[str, ...]


def chat(engine: Engine, exchange: Exchange) -> None:
    """Answer one request."""
    stopwatch = Stopwatch()
    request = _read(bind(exchange.body(), FIELDS, "ChatRequest"))
    common = request.common
    if not common.model:
        raise bad_request("model is required")
    model = engine.model(common.model)
    if not request.messages and common.unloads:
        engine.scheduler.expire(model.path)
        exchange.send_json(HTTPStatus.OK, _note(common.model, "unload"))
        return
    require(engine, model, common.model, common, "chat")
    if request.tools and "tools" not in engine.capabilities(model):
        raise bad_request(f"{model.name.full()} does not support tools")
    with engine.runner(exchange.context, model, common.asked) as (runner, options):
        stopwatch.loaded()
        if not request.messages:
            exchange.send_json(HTTPStatus.OK, _note(common.model, "load"))
            return
        _answer(engine, exchange, model, request, runner, options, stopwatch)


def _answer(
    engine: Engine,
    exchange: Exchange,
    model: Model,
    request: _Request,
    runner: Runner,
    options: Options,
    stopwatch: Stopwatch,
) -> None:
    common, messages = request.common, _with_model_messages(model, request.messages)
    prompt = chat_prompt(
        runner, exchange.context, model.template, messages, request.tools, truncate=common.truncate
    )
    if common.render_only:
        note = {"model": common.model, "created_at": timestamp(), "message": {"role": "", "content": ""}}
        exchange.send_json(
            HTTPStatus.OK, {**note, "done": False, "_debug_info": {"rendered_template": prompt}}
        )
        return
    if request.messages[-1]["role"] == "assistant":
        tell_prefill(request.messages[-1]["content"], exchange.context)
    pieces = _pieces(engine, exchange.context, model, request, runner, options, prompt)
    lines = (_line(common.model, piece, stopwatch) for piece in pieces)
    deliver(exchange, lines, stream=common.stream, join=lambda found: _joined(common.model, found))


def _read(given: dict[str, Any]) -> _Request:
    messages = [_message(item) for item in given.get("messages", ())]
    images = tuple(image for message in messages for image in message.get("images", ()))
    return _Request(read_common(given), _mark_images(messages), given.get("tools", []), images)


def _message(value: object) -> Message:
    given = check_object(value, MESSAGE_FIELDS, "ChatRequest.messages")
    return {**given, "role": given.get("role", "").lower(), "content": given.get("content", "")}


def _mark_images(messages: list[Message]) -> list[Message]:
    marked, number = [], 0
    for message in messages:
        count = len(message.get("images", ()))
        marks = "".join(f"[img-{index}]" for index in range(number, number + count))
        marked.append({**message, "content": marks + message["content"]})
        number += count
    return marked


def _with_model_messages(model: Model, messages: list[Message]) -> list[Message]:
    every = [*model.messages, *messages]
    if messages[0]["role"] != "system" and model.system:
        return [{"role": "system", "content": model.system}, *every]
    return every


def _pieces(
    engine: Engine,
    context: Context,
    model: Model,
    request: _Request,
    runner: Runner,
    options: Options,
    prompt: str,
) -> Iterator[Piece]:
    asked = completion(request.common, prompt, options, request.images)
    pieces = engine.answer(runner, context, asked)
    if request.tools:
        return with_tool_calls(pieces, ToolParser(model.template.source, request.tools))
    return pieces


def _note(model: str, reason: str) -> Line:
    message = {"role": "assistant", "content": ""}
    return {
        "model": model,
        "created_at": timestamp(),
        "message": message,
        "done": True,
        "done_reason": reason,
    }


def _line(model: str, piece: Piece, stopwatch: Stopwatch) -> Line:
    message: dict[str, Any] = {"role": "assistant", "content": piece.content}
    message |= {"thinking": piece.thinking} if piece.thinking else {}
    message |= {"tool_calls": piece.tool_calls} if piece.tool_calls else {}
    line: Line = {
        "model": model,
        "created_at": timestamp(),
        "message": message,
        "done": bool(piece.done_reason),
    }
    if piece.done_reason:
        line |= {"done_reason": piece.done_reason, **trailer(stopwatch, piece.metrics)}
    return line | ({"logprobs": piece.logprobs} if piece.logprobs else {})


def _joined(model: str, lines: list[Line]) -> Line:
    if not lines:  # a dirty end before the first token
        empty = {"role": "assistant", "content": ""}
        return {"model": model, "created_at": timestamp(), "message": empty, "done": False}
    last = join_text(
        lines,
        lambda line: line["message"]["content"],
        lambda line, text: line["message"].update(content=text),
    )
    for key, start in (("thinking", ""), ("tool_calls", [])):
        parts = [line["message"][key] for line in lines if line["message"].get(key)]
        if parts:
            last["message"][key] = sum(parts, start) if isinstance(start, list) else "".join(parts)
    return last
