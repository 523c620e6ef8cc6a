"""What callers do in a day: kinds of requests, how frequent each is, and which answers are meant.

Owns the mix. Never sends anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

Play = Literal["whole", "stream", "hang up"]

PROMPTS = (
    "What is the capital of France?",
    "Give me three names for a cat.",
    "Qual é a capital de Portugal?",
    "Escreve uma frase sobre o mar.",
    "Say hello in five languages.",
    "¿Cuál es la capital de España?",
    "Why is the sky blue?",
    "Explica o que é uma base de dados.",
)
PARAGRAPH = (
    "A gateway stands between applications and the engine that writes their answers. It knows who asks, how "
    "much they may ask for, and which model is best at their language. While the engine restarts they wait. "
)
SHORT_TOKENS, LONG_TOKENS = 12, 80
LONG_PARAGRAPHS = 12


@dataclass(frozen=True)
class Kind:
    """One kind of request."""

    name: str
    weight: int
    path: str
    body: Callable[[Random], bytes]
    method: str = "POST"
    play: Play = "whole"
    status: int = 200
    """What is meant to come of it; a limit's 429 may come of all."""


def prompt(random: Random) -> str:
    """Give a short prompt that no other request has, so that nothing kept answers it."""
    return f"{random.choice(PROMPTS)} ({random.randrange(10**9)})"


def long_prompt(random: Random) -> str:
    """Give a prompt of some 500 tokens."""
    return PARAGRAPH * random.randint(1, LONG_PARAGRAPHS) + "Summarise this. " + prompt(random)


def llm(text: Callable[[Random], str], tokens: int, **more: Any) -> Callable[[Random], bytes]:
    """Give bodies of `/llm/generate`."""
    return lambda random: _json({"prompt": text(random), "params": {"max_tokens": tokens}, **more})


def openai(text: Callable[[Random], str], tokens: int, **more: Any) -> Callable[[Random], bytes]:
    """Give bodies of `/v1/chat/completions`."""
    return lambda random: _json(
        {"messages": _said(text(random)), "model": "auto", "max_tokens": tokens, **more}
    )


def ollama(text: Callable[[Random], str], tokens: int, **more: Any) -> Callable[[Random], bytes]:
    """Give bodies of `/api/chat`."""
    return lambda random: _json(
        {"messages": _said(text(random)), "model": "auto", "options": {"num_predict": tokens}, **more}
    )


def fixed(body: bytes) -> Callable[[Random], bytes]:
    """Give the same body each time."""
    return lambda _: body


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


LLM, OPENAI, OLLAMA = "/llm/generate", "/v1/chat/completions", "/api/chat"
_AGAIN = _json({"prompt": PROMPTS[0], "params": {"max_tokens": SHORT_TOKENS, "seed": 7}})

# Half of the day is the SDKs', who mostly stream; one request in ten is wrong, one in twenty-five is left.
MIX = (
    Kind("short", 14, LLM, llm(prompt, SHORT_TOKENS)),
    Kind("short", 10, OPENAI, openai(prompt, SHORT_TOKENS)),
    Kind("short", 8, OLLAMA, ollama(prompt, SHORT_TOKENS, stream=False)),
    Kind("long", 4, LLM, llm(long_prompt, LONG_TOKENS)),
    Kind("long", 4, OPENAI, openai(long_prompt, LONG_TOKENS)),
    Kind("stream", 8, LLM, llm(prompt, LONG_TOKENS, stream=True), play="stream"),
    Kind("stream", 12, OPENAI, openai(prompt, LONG_TOKENS, stream=True), play="stream"),
    Kind("stream", 10, OLLAMA, ollama(prompt, LONG_TOKENS), play="stream"),
    Kind("hang up", 2, LLM, llm(prompt, LONG_TOKENS, stream=True), play="hang up"),
    Kind("hang up", 2, OPENAI, openai(prompt, LONG_TOKENS, stream=True), play="hang up"),
    Kind("same again", 6, LLM, fixed(_AGAIN)),
    Kind("bad JSON", 2, LLM, fixed(b'{"prompt": '), status=400),
    Kind("bad value", 2, LLM, llm(prompt, -1), status=400),
    Kind("bad value", 2, OPENAI, openai(prompt, SHORT_TOKENS, temperature="hot"), status=400),
    Kind("no such model", 2, OLLAMA, ollama(prompt, SHORT_TOKENS, model="no-such-model"), status=404),
    Kind("no such route", 2, "/llm/nothing", fixed(b"{}"), status=404),
    Kind("models", 3, "/models", fixed(b""), method="GET"),
    Kind("health", 3, "/health", fixed(b""), method="GET"),
)
