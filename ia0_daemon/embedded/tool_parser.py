"""Finds the calls of tools in what a model writes.

    ToolParser(template, tools).add(text) -> text to show, calls

Owns the tag by which a template marks calls and the reading of their JSON
(``name`` with ``arguments`` or ``parameters``). Text that turns out to be no call
is shown after all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ia0_daemon.embedded.completion import Piece
from ia0_daemon.embedded.script import ScriptedCall, tool_call

_TAG = re.compile(r"\.ToolCalls\s*-?\}\}\s*([^{]*?)\s*(?=\{\{)")


class ToolParser:
    """Reads one answer."""

    def __init__(self, template: str, tools: list[Any]) -> None:
        self._tag = tag_of(template)
        self._names = {tool.get("function", {}).get("name") for tool in tools}
        self._held = ""
        self._calls = 0
        self._has_shown = False

    def add(self, text: str) -> tuple[str, list[dict[str, Any]]]:
        """What can be shown of the text so far, and the calls that are complete."""
        self._held += text
        at = self._held.find(self._tag)
        if at < 0 and not self._calls:
            return self._show_all_but(_overlap(self._held, self._tag)), []
        if self._tag == "{" and (self._has_shown or self._held[: max(at, 0)].strip()):
            return self._show_all_but(0), []  # JSON in the middle of a text is no call
        if at < 0:
            return "", []  # behind a call only other calls count
        shown, self._held = self._held[:at], self._held[at:]
        calls = self._take_calls()
        return shown, calls

    def rest(self) -> str:
        """What was held back and is no call."""
        rest, self._held = self._held, ""
        return "" if self._calls else rest

    def _show_all_but(self, count: int) -> str:
        cut = len(self._held) - count
        shown, self._held = self._held[:cut], self._held[cut:]
        self._has_shown = self._has_shown or bool(shown.strip())
        return shown

    def _take_calls(self) -> list[dict[str, Any]]:
        found = []
        while (start := self._held.find("{")) >= 0:
            try:
                value, end = json.JSONDecoder().raw_decode(self._held, start)
            except ValueError:
                break
            self._held = self._held[end:]
            call = _call(value, self._names)
            if call is not None:
                found.append(tool_call(self._calls, call))
                self._calls += 1
        return found


def tag_of(template: str) -> str:
    """The text that stands before a call, ``{`` where the template has none."""
    words = [word for match in _TAG.finditer(template) for word in match.group(1).split()]
    return words[0] if words else "{"


def _call(value: Any, names: set[str]) -> ScriptedCall | None:
    name = value.get("name")
    arguments = value.get("arguments", value.get("parameters"))
    if name in names and isinstance(arguments, dict):
        return ScriptedCall(name, arguments)
    return None


def _overlap(text: str, tag: str) -> int:
    sizes = range(min(len(text), len(tag) - 1), 0, -1)
    return next((size for size in sizes if tag.startswith(text[-size:])), 0)


def with_tool_calls(pieces: Iterator[Piece], parser: ToolParser) -> Iterator[Piece]:
    """The pieces with the calls taken out of the text."""
    for piece in pieces:
        shown, calls = parser.add(piece.content)
        if piece.done_reason:
            shown += parser.rest()
        if shown or calls or piece.done_reason or piece.thinking or piece.tool_calls or piece.logprobs:
            yield replace(piece, content=shown, tool_calls=piece.tool_calls + calls)
