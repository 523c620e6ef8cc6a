"""Shortening a prompt that does not fit, for a caller who has allowed it.

    it does not fit -> the engine leaves out the oldest messages
    still not -> the system's and the last one are asked with alone -> the longest loses its oldest words

The engine says how much is too much only where it may leave nothing out itself, so
words are cut between questions that forbid it. Owns what is cut when the engine
cannot: with `shift` off it refuses a single message that is too long, and `shift`
on would load the model again. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ia0_daemon.engine.client import Question
    from ia0_daemon.engine.messages import Message
    from ia0_daemon.errors import ContextLengthExceeded

# Tokens are not spread evenly over a text: what is cut is a bit more than the share that is too much.
SPARE = 1.1
# Tokens that are left for the answer.
ROOM_TOKENS = 16
# How often a prompt is shortened before it is given up: the messages twice, then words.
MOST_CUTS = 6


def shortened(question: Question, refusal: ContextLengthExceeded) -> Question | None:
    """Give a question that asks with less; none where nothing can be left out, or nobody said how much."""
    share = _share_too_much(refusal)
    needed = _needed(question.messages)
    if len(needed) < len(question.messages):
        if not question.truncate:
            return replace(question, truncate=True)
        if share is None:
            return replace(question, truncate=False, messages=needed)
    if share is None:
        return None
    if question.messages:
        return _with_shorter_message(question, share)
    prompt = str(question.fields.get("prompt", ""))
    cut = _cut(prompt, share, len(prompt))
    return replace(question, fields=question.fields | {"prompt": cut}) if cut else None


def _needed(messages: list[Message]) -> list[Message]:
    """Give what the engine never leaves out: the system's messages and the last one [ollama.md]."""
    last = len(messages) - 1
    return [message for at, message in enumerate(messages) if message.role == "system" or at == last]


def _with_shorter_message(question: Question, share: float) -> Question | None:
    """Cut the beginning of the longest message that is no system's."""
    messages = list(question.messages)
    places = [at for at, message in enumerate(messages) if message.role != "system"]
    if not places:
        return None
    at = max(places, key=lambda place: len(messages[place].content))
    cut = _cut(messages[at].content, share, question.chars())
    if not cut:
        return None
    messages[at] = msgspec.structs.replace(messages[at], content=cut)
    return replace(question, messages=messages)


def _share_too_much(refusal: ContextLengthExceeded) -> float | None:
    """Give the share of the prompt that has to go, from the engine's own figures."""
    prompt, context = refusal.prompt_tokens, refusal.context_tokens
    if not prompt or not context:
        return None
    return (prompt - max(1, context - ROOM_TOKENS)) / prompt


def _cut(text: str, share: float, all_chars: int) -> str:
    """Give the end of a text without so large a share of all characters, and from a whole word on."""
    rest = text[max(1, round(all_chars * share * SPARE)) :]
    _, blank, words = rest.partition(" ")
    return words if blank and words else rest
