"""Cuts a Go template into text and actions, and an action into words.

Owns the trim markers (``{{-``, ``-}}``), comments and the words' kinds. Never
knows what an action means (``template_parse`` does).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_ACTION = re.compile(
    r"\{\{(-(?=\s))?\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|[^\"`}]|\}(?!\}))*?)\s*((?<=\s)-)?\}\}",
    re.DOTALL,
)
_WORD = re.compile(
    r"""\s*(?:
        (?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)
      | (?P<number>[+-]?\d+(?:\.\d+)?)
      | (?P<variable>\$\w*(?:\.\w+)*)
      | (?P<field>(?:\.\w+)+)
      | (?P<dot>\.)
      | (?P<symbol>:=|=|\(|\)|\||,)
      | (?P<word>\w+)
    )""",
    re.VERBOSE,
)


class TemplateError(ValueError):
    """A template that cannot be read or carried out."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text, or the inside of one action."""

    text: str
    is_action: bool


@dataclass(frozen=True)
class Word:
    """One word of an action; ``spaced`` tells whether a blank stands before it."""

    kind: str
    text: str
    spaced: bool

    def literal(self) -> str | int | float:
        """The value of a string or number word."""
        if self.kind == "string":
            return self.text[1:-1] if self.text.startswith("`") else str(ast.literal_eval(self.text))
        return float(self.text) if "." in self.text else int(self.text)


def cut(source: str) -> list[Piece]:
    """Text and actions in order, with the trim markers applied and comments gone."""
    pieces: list[Piece] = []
    position, trim_next = 0, False
    for match in _ACTION.finditer(source):
        text = source[position : match.start()]
        text = text.lstrip() if trim_next else text
        pieces.append(Piece(text.rstrip() if match.group(1) else text, is_action=False))
        if not match.group(2).startswith("/*"):
            pieces.append(Piece(match.group(2), is_action=True))
        position, trim_next = match.end(), bool(match.group(3))
    rest = source[position:]
    if "{{" in rest:
        raise TemplateError("template: :1: unclosed action")
    pieces.append(Piece(rest.lstrip() if trim_next else rest, is_action=False))
    return [piece for piece in pieces if piece.text or piece.is_action]


def words(action: str) -> list[Word]:
    """The words of one action."""
    found: list[Word] = []
    position = 0
    while position < len(action):
        match = _WORD.match(action, position)
        if match is None or match.lastgroup is None:
            raise TemplateError(f"template: :1: unexpected {action[position:][:10]!r} in operand")
        text = match.group(match.lastgroup)
        found.append(Word(match.lastgroup, text, match.start(match.lastgroup) > position))
        position = match.end()
    return found
