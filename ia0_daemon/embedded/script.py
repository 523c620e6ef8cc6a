"""Answers written beforehand, for what the small model cannot do, such as calling tools.

    [{"when": "weather", "content": "", "tool_calls": [{"name": "f", "arguments": {"city": "Paris"}}]}, ...]

Owns the file's shape and which entry answers a prompt: the first whose ``when``
is in it (no ``when``: any). The figures are counted with the real tokenizer.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.completion import Piece
from ia0_daemon.embedded.runner import Runner


class ScriptedCall(msgspec.Struct):
    """One call of a tool."""

    name: str
    arguments: dict[str, Any] = {}


class ScriptedAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """One answer and the prompts that it is for."""

    when: str = ""
    content: str = ""
    thinking: str = ""
    tool_calls: list[ScriptedCall] = []
    done_reason: str = "stop"


class Script:
    """The answers of one file; an empty path has none."""

    def __init__(self, path: str) -> None:
        self._answers = read_answers(Path(path)) if path else []

    def __bool__(self) -> bool:
        return bool(self._answers)

    def find(self, prompt: str) -> ScriptedAnswer | None:
        """The answer for this prompt, or None: the model answers."""
        return next((answer for answer in self._answers if answer.when in prompt), None)


def read_answers(path: Path) -> list[ScriptedAnswer]:
    """Read the file; a wrong one is a MsgspecError that names the place."""
    return msgspec.json.decode(path.read_bytes(), type=list[ScriptedAnswer])


def play(answer: ScriptedAnswer, runner: Runner, context: Context, prompt: str) -> Iterator[Piece]:
    """The answer in pieces of a word each, then its tool calls, then the figures."""
    if answer.thinking:
        yield Piece("", thinking=answer.thinking)
    for word in re.findall(r"\s*\S+\s*$|\s*\S+", answer.content):
        yield Piece(word)
    if answer.tool_calls:
        yield Piece("", tool_calls=[tool_call(index, call) for index, call in enumerate(answer.tool_calls)])
    written = len(runner.tokenize(context, answer.content + answer.thinking))
    figures = {"prompt_eval_count": len(runner.tokenize(context, prompt)), "eval_count": max(written, 1)}
    durations = {"prompt_eval_duration": 1_000_000, "eval_duration": 1_000_000}
    yield Piece("", done_reason=answer.done_reason, metrics=figures | durations)


def tool_call(index: int, call: ScriptedCall) -> dict[str, Any]:
    """A call as ``message.tool_calls`` has it."""
    function = {"index": index, "name": call.name, "arguments": call.arguments}
    return {"id": f"call_{secrets.token_hex(4)}", "function": function}
