"""What an error of the engine means to a caller.

Owns the one translation from Ollama's statuses and texts [ollama.md, "Errors"]
to our tree of errors. Pure: no request is made here.
"""

from __future__ import annotations

import re

import msgspec

from ia0_daemon.engine.messages import Failure
from ia0_daemon.errors import (
    AnswerAborted,
    ContextLengthExceeded,
    EngineError,
    EngineInterrupted,
    InvalidRequest,
    ModelUnavailable,
    Overloaded,
    ServiceError,
)

# llama-server's own words, which Ollama passes through where `truncate` is false, and Ollama's of a text
# that is to become a vector.
_TOO_LONG = re.compile(
    r"exceed_context_size_error|exceeds the available context size|prompt is longer than the context length"
    r"|input length exceeds the context length"
)
# What a model of another kind could do: tools, thinking, insert, chat ... [ollama.md, "Errors"]
_UNABLE = "does not support"
_PROMPT_TOKENS = re.compile(r'"n_prompt_tokens":\s*(\d+)|request \((\d+) tokens\)')
_CONTEXT_TOKENS = re.compile(r'"n_ctx":\s*(\d+)|context size \((\d+) tokens\)')
# The model's own process has ended: the engine starts another one for the next request. Nothing is wrong with
# one that was killed or told to end while it loaded, other than with one that gave up (exit status, abort).
_RUNNER_ENDED = (
    "model runner has unexpectedly stopped",
    "an error was encountered while running the model",
    "llama-server process has terminated: signal: killed",
    "llama-server process has terminated: signal: terminated",
)
_CANNOT_LOAD = (
    "llama-server process has terminated",
    "timed out waiting for llama-server to start",
    "unable to load full model on GPU",
    "model requires more system memory",
)
# What a request said and the engine could not take, though it calls it an error of its own (500).
# Two of them are llama-server's: a `context` of tokens that the model does not have, and tools of no known
# kind. Anybody can send such, and it says nothing of the model.
_ASKED_WRONGLY = re.compile(
    r"^template: |image input is not supported|^option \"|^detokenize error: \{\"error\":"
    r"|Failed to parse (?:messages|tools): |^invalid JSON schema in format"
)
# Newer engines say so [PR #18374]; older ones just end the stream, which `answer.py` sees.
_REPEATS_ITSELF = "token repeat limit reached"
# How llama.cpp tells what it could not read: with all of the messages or tools behind [common/chat.cpp].
_REPEATED = re.compile(r"; (?:messages|tools) = .*", re.DOTALL)
# Ollama's own sentences are far shorter: what is longer repeats something that no log is to have.
_MOST_CHARS = 1000
# A full queue of the engine empties at the pace of its answers; callers are asked to come back after this.
_RETRY_AFTER_S = 2


def of_response(status: int, body: bytes, tag: str) -> ServiceError:
    """Translate an answer with a status of 400 or more."""
    try:
        text = msgspec.json.decode(body, type=Failure).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = ""
    return of_text(text or f"status {status} without a text", status, tag)


def of_text(text: str, status: int, tag: str) -> ServiceError:
    """Translate an error's text, from a body or from a line of a stream (status 200)."""
    if _TOO_LONG.search(text):
        return _too_long(text)
    text = _without_prompt(text)
    if status == 400 and _UNABLE in text:
        return InvalidRequest(f"the model cannot do this: {text}", tag=tag, engine_error=text)
    if status == 404:
        return ModelUnavailable(
            f"the engine has no model {tag!r}; bring it there or change its tag in models",
            tag=tag,
            engine_error=text,
        )
    if status == 503:
        return Overloaded("the engine's queue is full", retry_after_s=_RETRY_AFTER_S, engine_error=text)
    if status == 400 or _ASKED_WRONGLY.search(text):
        # The caller must change it: no other model is asked, and no breaker counts it.
        return InvalidRequest(f"the engine refuses the request: {text}", engine_error=text)
    if status == 499:  # nobody here has hung up: the engine itself is ending
        return EngineInterrupted(
            f"the engine gave the request up: {text}", engine_error=text, engine_status=status
        )
    if _REPEATS_ITSELF in text:
        return AnswerAborted(
            f"the engine gave the answer up: {text}", engine_error=text, engine_status=status
        )
    if any(sign in text for sign in _RUNNER_ENDED):
        return EngineInterrupted(
            f"the model's process ended: {text}", engine_error=text, engine_status=status
        )
    if any(sign in text for sign in _CANNOT_LOAD):
        return ModelUnavailable(f"the engine could not load {tag!r}: {text}", tag=tag, engine_error=text)
    return EngineError(f"the engine failed: {text}", engine_error=text, engine_status=status)


def is_of_the_model(error: ServiceError) -> bool:
    """Say whether an error tells of the model, and not of what was asked of it."""
    return not isinstance(error, InvalidRequest | AnswerAborted)


def _without_prompt(text: str) -> str:
    """Give an error's text without what it repeats of the request: sentences are logged, prompts are not."""
    said = _REPEATED.sub("; ...", text)
    return said if len(said) <= _MOST_CHARS else f"{said[:_MOST_CHARS]}..."


def _too_long(text: str) -> ContextLengthExceeded:
    prompt, context = _number(_PROMPT_TOKENS, text), _number(_CONTEXT_TOKENS, text)
    if prompt is None or context is None:
        return ContextLengthExceeded("the prompt is longer than the model's context; nothing was cut")
    return ContextLengthExceeded(
        f"the prompt has {prompt} tokens, and the model's context holds {context}; nothing was cut",
        prompt_tokens=prompt,
        context_tokens=context,
    )


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(next(group for group in found.groups() if group)) if found else None
