"""``POST /api/embed`` and the older ``/api/embeddings``: texts as vectors.

    bind -> runner with embeddings on -> one vector a text -> normalised

A model that is loaded for writing is loaded again for this, since llama-server
computes vectors only when it was started for it.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

import msgspec

from ia0_daemon.embedded.binding import bind
from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.child_client import ChildCut, ChildRefused, ChildUnreachable
from ia0_daemon.embedded.engine import Asked, Engine
from ia0_daemon.embedded.exchange import Exchange
from ia0_daemon.embedded.failures import (
    EngineFailure,
    StatusFailure,
    bad_request,
    model_not_found,
    model_not_pulled,
)
from ia0_daemon.embedded.inference_fields import read_keep_alive
from ia0_daemon.embedded.runner import Runner
from ia0_daemon.embedded.wire import Stopwatch

TOO_LONG_TEXT = "the input length exceeds the context length"
_LIMIT_WORDS = ("too large", "context size", "context length", "physical batch size")

FIELDS = {
    "model": "string",
    "input": "any",
    "keep_alive": "any",
    "truncate": "*bool",
    "dimensions": "int",
    "options": "map[string]interface {}",
}
OLD_FIELDS = {
    "model": "string",
    "prompt": "string",
    "keep_alive": "any",
    "options": "map[string]interface {}",
}


def embed(engine: Engine, exchange: Exchange) -> None:
    """Answer ``/api/embed``."""
    stopwatch = Stopwatch()
    given = bind(exchange.body(), FIELDS, "EmbedRequest")
    texts = _texts(given.get("input"))
    name = given.get("model", "")
    if not name:
        raise model_not_found("")
    asked = Asked(given.get("options", {}), read_keep_alive(given), embedding=True)
    with engine.runner(exchange.context, engine.model(name, model_not_pulled), asked) as (runner, _):
        stopwatch.loaded()
        truncate = given.get("truncate", True)
        found = [_vector(runner, exchange.context, text, truncate=truncate) for text in texts]
    vectors = [_shortened(vector, given.get("dimensions", 0)) for vector, _ in found]
    answer: dict[str, Any] = {"model": name, "embeddings": vectors}
    if texts:
        answer |= stopwatch.durations() | {"prompt_eval_count": sum(tokens for _, tokens in found)}
    exchange.send_json(HTTPStatus.OK, answer)


def embeddings(engine: Engine, exchange: Exchange) -> None:
    """Answer ``/api/embeddings``."""
    given = bind(exchange.body(), OLD_FIELDS, "EmbeddingRequest")
    if not given.get("model"):
        raise bad_request("model is required")
    asked = Asked(given.get("options", {}), read_keep_alive(given), embedding=True)
    prompt = given.get("prompt", "")
    model = engine.model(given["model"], model_not_pulled)
    with engine.runner(exchange.context, model, asked) as (runner, _):
        vector = _vector(runner, exchange.context, prompt, truncate=True)[0] if prompt else []
    exchange.send_json(HTTPStatus.OK, {"embedding": vector})


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise bad_request("invalid input type")


def _vector(runner: Runner, context: Context, text: str, *, truncate: bool) -> tuple[list[float], int]:
    with runner.slot(context):
        try:
            return _asked(runner, context, text)
        except StatusFailure as failure:
            if failure.status != HTTPStatus.BAD_REQUEST or not truncate:
                raise
        tokens = runner.tokenize(context, text)
        return _asked(runner, context, runner.detokenize(context, tokens[: _room(runner)]))


def _room(runner: Runner) -> int:
    # Ollama leaves a place for the tokens that mark a text's beginning and its end.
    return max(runner.num_ctx - 2, 1)


def _asked(runner: Runner, context: Context, text: str) -> tuple[list[float], int]:
    try:
        answer = runner.client.ask(context, "/v1/embeddings", {"input": text})
    except ChildRefused as error:
        raise _refusal(error) from error
    except (ChildUnreachable, ChildCut) as error:
        raise EngineFailure(f"do embedding request: {error}") from error
    vector: list[float] = answer["data"][0]["embedding"]
    return _normalised(vector), answer["usage"]["prompt_tokens"]


def _refusal(error: ChildRefused) -> StatusFailure:
    try:
        text = str(msgspec.json.decode(error.body)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        text = str(error)
    if any(words in text.lower() for words in _LIMIT_WORDS):
        return bad_request(TOO_LONG_TEXT)
    return StatusFailure(error.status, text)


def _normalised(vector: list[float]) -> list[float]:
    if not all(math.isfinite(value) for value in vector):
        raise bad_request("embedding contains NaN or Inf values")
    length = max(math.sqrt(sum(value * value for value in vector)), 1e-12)
    return [value / length for value in vector]


def _shortened(vector: list[float], dimensions: int) -> list[float]:
    return _normalised(vector[:dimensions]) if 0 < dimensions < len(vector) else vector
