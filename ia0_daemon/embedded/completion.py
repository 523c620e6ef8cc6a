"""Lets a runner write an answer to a prompt.

    complete(runner, context, request) -> slot -> fit the prompt -> /completion -> pieces, the last is final

Owns what is sent to llama-server's ``/completion`` (Ollama's fields, its JSON
grammar) and how its events and its failures read; events that only report how
far the prompt has been read make no piece. A child that ends cleanly
without a last event, or that repeats one token, ends the pieces without a final
one: Ollama's dirty end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.child_client import ChildCut, ChildRefused, ChildUnreachable
from ia0_daemon.embedded.failures import (
    PROMPT_TOO_LONG_TEXT,
    RUNNER_STOPPED_TEXT,
    EngineFailure,
    StatusFailure,
)
from ia0_daemon.embedded.options import Options
from ia0_daemon.embedded.runner import Runner
from ia0_daemon.embedded.truncation import cut_tokens, kept_tokens

# So often may one token follow itself; then Ollama 0.33.0 stops without a last line.
TOKEN_REPEAT_LIMIT = 30

_log = logging.getLogger(__name__)

# Any JSON object: what ``"format": "json"`` means.
_JSON_GRAMMAR = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? ws "}"
array  ::= "[" ws ( value ("," ws value)* )? ws "]"
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}) )* "\""
number ::= ("-"? ([0-9] | [1-9] [0-9]*)) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
ws     ::= ([ \t\n] ws)?
"""


@dataclass(frozen=True)
class CompletionRequest:
    """A prompt and how it is to be continued."""

    prompt: str
    options: Options
    format: object = None
    truncate: bool = True
    logprobs: bool = False
    top_logprobs: int = 0
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A stretch of the answer; the final one has a reason and the figures (durations in nanoseconds)."""

    content: str
    thinking: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    done_reason: str = ""
    metrics: dict[str, int] = field(default_factory=dict)


def complete(runner: Runner, context: Context, request: CompletionRequest) -> Iterator[Piece]:
    """The answer in pieces; failures are EngineFailures, a hang-up is Cancelled."""
    prompt = fitted_prompt(runner, context, request)
    payload = _payload(runner, prompt, request)
    has_begun = False
    try:
        for piece in _pieces(runner.client.events(context, "/completion", payload), request):
            has_begun = True
            yield piece
    except ChildRefused as error:
        raise StatusFailure(error.status, str(error)) from error
    except (ChildUnreachable, ChildCut) as error:
        raise _broken(runner, str(error), has_begun=has_begun) from error


def _broken(runner: Runner, text: str, *, has_begun: bool) -> EngineFailure:
    if not has_begun:
        return EngineFailure(": ".join(filter(None, (RUNNER_STOPPED_TEXT, runner.last_error))))
    runner.close()
    return EngineFailure(f"an error was encountered while running the model: {runner.last_error or text}")


def fitted_prompt(
    runner: Runner, context: Context, request: CompletionRequest
) -> str | list[int] | dict[str, Any]:
    """The prompt, or the tokens that remain of one that is too long; with images it is never cut."""
    num_ctx = runner.num_ctx
    if request.images:
        return {"prompt_string": request.prompt, "multimodal_data": list(request.images)}
    if not request.truncate or num_ctx <= 1 or len(request.prompt.encode()) < num_ctx:
        return request.prompt
    tokens = runner.tokenize(context, request.prompt, add_special=True)
    if len(tokens) <= num_ctx - 1:
        return request.prompt
    if not runner.launch.shift:
        raise StatusFailure(HTTPStatus.BAD_REQUEST, PROMPT_TOO_LONG_TEXT)
    adds_bos = runner.launch.model.metadata.adds_bos
    keep = kept_tokens(request.options.num_keep, len(tokens), num_ctx, adds_bos=adds_bos)
    cut = cut_tokens(tokens, num_ctx, keep)
    _log.warning(
        "truncating input prompt limit=%d prompt=%d keep=%d new=%d", len(cut), len(tokens), keep, len(cut)
    )
    return cut


def _payload(runner: Runner, prompt: object, request: CompletionRequest) -> dict[str, Any]:
    options = request.options
    payload = {
        "prompt": prompt,
        "stream": True,
        # While it has nothing to write, llama-server looks for a caller who has gone only after a second
        # without a result of any slot. Progress is written after each batch: it shows a closed connection.
        "return_progress": True,
        "cache_prompt": True,
        "n_predict": options.bounded_predict(runner.num_ctx),
        "n_keep": options.num_keep,
        "temperature": options.temperature,
        "top_k": options.top_k,
        "top_p": options.top_p,
        "min_p": options.min_p,
        "stop": list(options.stop),
        "repeat_penalty": options.repeat_penalty,
        "repeat_last_n": options.repeat_last_n,
        "frequency_penalty": options.frequency_penalty,
        "presence_penalty": options.presence_penalty,
        "typical_p": options.typical_p,
        "seed": options.seed,
    }
    if request.logprobs:
        payload["n_probs"] = max(request.top_logprobs, 1)
    return payload | _constraint(request.format)


def _constraint(format_: object) -> dict[str, Any]:
    if format_ in (None, ""):
        return {}
    if format_ == "json":
        return {"grammar": _JSON_GRAMMAR}
    if isinstance(format_, dict):
        return {"json_schema": format_}
    shown = msgspec.json.encode(msgspec.json.encode(format_).decode()).decode()
    raise EngineFailure(f'invalid format: {shown}; expected "json" or a valid JSON Schema object')


def _pieces(events: Iterator[bytes], request: CompletionRequest) -> Iterator[Piece]:
    last, repeated = "", 0
    for event in _answer_events(events):
        content = event["content"]
        repeated = repeated + 1 if content.strip() == last else 0
        last = content.strip()
        if repeated > TOKEN_REPEAT_LIMIT:
            _log.debug("prediction aborted, token repeat limit reached")
            return
        if event["stop"]:
            yield _final(event, content)
            return
        if content:
            yield Piece(content, logprobs=_logprobs(event, with_top=request.top_logprobs > 0))


def _answer_events(events: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The events that belong to the answer; a failure that came after the status is one too."""
    for data in events:
        event = msgspec.json.decode(data)
        if "error" in event:
            raise ChildRefused(event["error"].get("code", HTTPStatus.INTERNAL_SERVER_ERROR), data)
        if "prompt_progress" not in event:
            yield event


def _final(event: dict[str, Any], content: str) -> Piece:
    timings = event["timings"]
    metrics = {
        "prompt_eval_count": timings.get("cache_n", 0) + timings["prompt_n"],
        "prompt_eval_duration": int(timings["prompt_ms"] * 1e6),
        "eval_count": timings["predicted_n"],
        "eval_duration": int(timings["predicted_ms"] * 1e6),
    }
    return Piece(
        content, done_reason="length" if event.get("stop_type") == "limit" else "stop", metrics=metrics
    )


def _logprobs(event: dict[str, Any], *, with_top: bool) -> list[dict[str, Any]]:
    found = []
    for token in event.get("completion_probabilities", ()):
        entry = _logprob(token)
        if with_top:
            entry["top_logprobs"] = [_logprob(other) for other in token.get("top_logprobs", ())]
        found.append(entry)
    return found


def _logprob(token: dict[str, Any]) -> dict[str, Any]:
    text = token["token"]
    return {"token": text, "logprob": token["logprob"], "bytes": list(text.encode())}
