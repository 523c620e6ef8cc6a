"""``POST /api/generate``: go on from a prompt.

bind -> check -> load or unload, or: runner -> prompt -> pieces -> lines
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ia0_daemon.embedded.binding import bind
from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.deliver import Line, deliver, join_text
from ia0_daemon.embedded.engine import Engine
from ia0_daemon.embedded.exchange import Exchange
from ia0_daemon.embedded.failures import EngineFailure, bad_request, model_not_found
from ia0_daemon.embedded.inference_fields import COMMON_FIELDS, Common, completion, read_common, require
from ia0_daemon.embedded.models import Model
from ia0_daemon.embedded.options import Options
from ia0_daemon.embedded.prompt import chat_prompt, render
from ia0_daemon.embedded.runner import Runner
from ia0_daemon.embedded.template import Message, Template, Values
from ia0_daemon.embedded.template_lex import TemplateError
from ia0_daemon.embedded.wire import Stopwatch, timestamp, trailer

FIELDS = {
    **COMMON_FIELDS,
    "prompt": "string",
    "suffix": "string",
    "system": "string",
    "template": "string",
    "context": "[]int",
    "raw": "bool",
    "images": "[]string",
}


@dataclass(frozen=True)
class _Request:
    """The whole request."""

    common: Common
    prompt: str
    suffix: str
    system: str
    template: str
    context: list[int] | None
    raw: bool
    images: tuple[str, ...]


def generate(engine: Engine, exchange: Exchange) -> None:
    """Answer one request."""
    stopwatch = Stopwatch()
    request = _read(bind(exchange.body(), FIELDS, "GenerateRequest"))
    common = request.common
    if not common.model:
        raise model_not_found("")
    model = engine.model(common.model)
    if not request.prompt and common.unloads:
        engine.scheduler.expire(model.path)
        exchange.send_json(HTTPStatus.OK, _note(common.model, "unload"))
        return
    _check(engine, model, request)
    with engine.runner(exchange.context, model, common.asked) as (runner, options):
        stopwatch.loaded()
        if not request.prompt:
            exchange.send_json(HTTPStatus.OK, _note(common.model, "load"))
            return
        prompt = _prompt(runner, exchange.context, model, request)
        if common.render_only:
            exchange.send_json(HTTPStatus.OK, _rendered(common.model, prompt))
            return
        lines = _lines(engine, runner, exchange.context, request, prompt, options, stopwatch)
        deliver(exchange, lines, stream=common.stream, join=lambda found: _joined(common.model, found))


def _read(given: dict[str, Any]) -> _Request:
    return _Request(
        common=read_common(given),
        prompt=given.get("prompt", ""),
        suffix=given.get("suffix", ""),
        system=given.get("system", ""),
        template=given.get("template", ""),
        context=given.get("context"),
        raw=given.get("raw", False),
        images=tuple(given.get("images", ())),
    )


def _check(engine: Engine, model: Model, request: _Request) -> None:
    if request.raw and (request.template or request.system or request.context):
        raise bad_request("raw mode does not support template, system, or context")
    require(engine, model, request.common.model, request.common, "generate")
    if request.suffix and "insert" not in engine.capabilities(model):
        raise bad_request(f"{model.name.full()} does not support insert")


def _note(model: str, reason: str) -> Line:
    return {"model": model, "created_at": timestamp(), "response": "", "done": True, "done_reason": reason}


def _rendered(model: str, prompt: str) -> Line:
    note = {"model": model, "created_at": timestamp(), "response": "", "done": False}
    return {**note, "_debug_info": {"rendered_template": prompt}}


def _prompt(runner: Runner, context: Context, model: Model, request: _Request) -> str:
    if request.raw:
        return request.prompt
    before = runner.detokenize(context, request.context) if request.context else ""
    if request.suffix:
        template = _template(model, request)
        return before + render(template, Values(prompt=request.prompt, suffix=request.suffix))
    messages = _messages(model, request)
    if request.template:
        return before + render(_template(model, request), Values(messages))
    return before + chat_prompt(
        runner, context, model.template, messages, [], truncate=request.common.truncate
    )


def _template(model: Model, request: _Request) -> Template:
    try:
        return Template(request.template) if request.template else model.template
    except TemplateError as error:
        raise EngineFailure(str(error)) from error


def _messages(model: Model, request: _Request) -> list[Message]:
    system = request.system or model.system
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    messages += [] if request.context else model.messages
    marks = "".join(f"[img-{number}]" for number in range(len(request.images)))
    return [*messages, {"role": "user", "content": marks + request.prompt}]


def _lines(
    engine: Engine,
    runner: Runner,
    context: Context,
    request: _Request,
    prompt: str,
    options: Options,
    stopwatch: Stopwatch,
) -> Iterator[Line]:
    common, written = request.common, []
    asked = completion(common, prompt, options, request.images)
    for piece in engine.answer(runner, context, asked):
        written.append(piece.content)
        line: Line = {"model": common.model, "created_at": timestamp(), "response": piece.content}
        line |= {"thinking": piece.thinking} if piece.thinking else {}
        line |= {"done": bool(piece.done_reason)}
        if piece.done_reason:
            line["done_reason"] = piece.done_reason
            if not request.raw:
                line["context"] = runner.tokenize(context, prompt + "".join(written))
            line |= trailer(stopwatch, piece.metrics)
        yield line | ({"logprobs": piece.logprobs} if piece.logprobs else {})


def _joined(model: str, lines: list[Line]) -> Line:
    if not lines:  # a dirty end before the first token
        return {"model": model, "created_at": timestamp(), "response": "", "done": False}
    return join_text(lines, lambda line: line["response"], lambda line, text: line.update(response=text))
