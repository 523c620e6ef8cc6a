"""How a prompt that is too long is made to fit: Ollama's arithmetic, exactly.

Owns two cuts. ``drop_old_messages`` leaves out the oldest messages of a chat;
``cut_tokens`` then cuts what remains: the first tokens are kept, the rest of the
room is filled from the end, half of the context stays free. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


def cut_length(num_ctx: int, keep: int) -> int:
    """How many tokens remain of a prompt that does not fit: 2050 of 4096 with 4 kept, 2051 with 5."""
    if num_ctx <= 1:
        return 0
    keep = max(0, min(keep, num_ctx - 1))
    return num_ctx - max((num_ctx - keep) // 2, 1)


def kept_tokens(num_keep: int, total: int, num_ctx: int, *, adds_bos: bool) -> int:
    """How many tokens stay at the beginning; a negative ``num_keep`` means all."""
    keep = total if num_keep < 0 else num_keep
    return min(keep + (1 if adds_bos else 0), num_ctx - 1)


def cut_tokens(tokens: list[int], num_ctx: int, keep: int) -> list[int]:
    """The kept beginning and the end of the prompt, ``cut_length`` tokens in all."""
    dropped = len(tokens) - cut_length(num_ctx, keep)
    return tokens[:keep] + tokens[keep + dropped :]


def drop_old_messages(messages: list[Message], fits: Callable[[list[Message]], bool]) -> list[Message]:
    """Leave out the oldest messages until the rest fits; system messages and the last one always stay."""
    for index in range(len(messages)):
        start = _turn_start(messages, index)
        system = [message for message in messages[:start] if message["role"] == "system"]
        remaining = system + messages[start:]
        if index == len(messages) - 1 or fits(remaining):
            return remaining
    return messages


def _turn_start(messages: list[Message], index: int) -> int:
    """A tool's result is never parted from the call that asked for it."""
    if index <= 0 or messages[index]["role"] != "tool":
        return index
    start = index
    while start > 0 and messages[start - 1]["role"] == "tool":
        start -= 1
    caller = start - 1
    is_call = caller >= 0 and messages[caller]["role"] == "assistant" and messages[caller].get("tool_calls")
    return caller if is_call else index
