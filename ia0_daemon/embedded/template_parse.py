"""Builds the tree of a Go template: the subset that Ollama's registry templates use.

    parse(source) -> cut -> words -> nodes

Knows if, else, range, with, break, continue, variables, pipelines and
parentheses. Never carries anything out (``template_run`` does). ``define``,
``template`` and ``block`` are refused.
"""

from __future__ import annotations

from dataclasses import replace

from ia0_daemon.embedded.template_lex import Piece, TemplateError, Word, cut, words
from ia0_daemon.embedded.template_tree import (
    Action,
    Branch,
    Field,
    Function,
    Jump,
    Literal,
    Node,
    Pipeline,
    Text,
)

_BRANCHES = ("if", "range", "with")
_REFUSED = ("define", "template", "block")
_CONSTANTS = {"true": True, "false": False, "nil": None}


def parse(source: str) -> tuple[Node, ...]:
    """The nodes of a whole template."""
    parser = _Parser(cut(source))
    nodes, end = parser.nodes()
    if end:
        raise TemplateError(f"template: :1: unexpected {{{{{end[0].text}}}}}")
    return nodes


class _Parser:
    """Reads pieces one after another."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = iter(pieces)

    def nodes(self) -> tuple[tuple[Node, ...], list[Word]]:
        """Nodes up to ``end`` or ``else`` (whose words are returned) or the end of the source."""
        found: list[Node] = []
        for piece in self._pieces:
            if not piece.is_action:
                found.append(Text(piece.text))
                continue
            line = words(piece.text)
            if not line:
                raise TemplateError("template: :1: missing value for command")
            if line[0].text in ("end", "else"):
                return tuple(found), line
            found.append(self._action(line))
        return tuple(found), []

    def _action(self, line: list[Word]) -> Node:
        head = line[0].text
        if head in _BRANCHES:
            return self._branch(head, line[1:])
        if head in _REFUSED:
            raise TemplateError(f"template: :1: {head} is not supported by the embedded engine")
        if head in ("break", "continue"):
            return Jump(head)
        return Action(_pipeline(line))

    def _branch(self, kind: str, line: list[Word]) -> Branch:
        branch = Branch(kind, _pipeline(line))
        body, end = self.nodes()
        branch = replace(branch, body=body)
        if not end:
            raise TemplateError("template: :1: unexpected EOF")
        if end[0].text == "end":
            return branch
        if len(end) > 1:  # {{ else if ... }} takes the {{ end }} with it
            return replace(branch, otherwise=(self._branch(end[1].text, end[2:]),))
        otherwise, end = self.nodes()
        if not end or end[0].text != "end":
            raise TemplateError("template: :1: expected end")
        return replace(branch, otherwise=otherwise)


def _pipeline(line: list[Word]) -> Pipeline:
    variables, declares, rest = _declaration(line)
    reader = _Words(rest)
    pipeline = reader.pipeline()
    if reader.peek() is not None:
        raise TemplateError(f"template: :1: unexpected {reader.peek()!r} in command")
    return replace(pipeline, variables=variables, declares=declares)


def _declaration(line: list[Word]) -> tuple[tuple[str, ...], bool, list[Word]]:
    for index, word in enumerate(line):
        if word.text in (":=", "=") and word.kind == "symbol":
            names = tuple(item.text for item in line[:index] if item.kind == "variable")
            return names, word.text == ":=", line[index + 1 :]
        if word.kind not in ("variable", "symbol"):
            break
    return (), False, line


class _Words:
    """Reads the words of one pipeline."""

    def __init__(self, line: list[Word]) -> None:
        self._line = line
        self._at = 0

    def peek(self) -> str | None:
        """The next word's text, or None."""
        return self._line[self._at].text if self._at < len(self._line) else None

    def _take(self) -> Word:
        self._at += 1
        return self._line[self._at - 1]

    def pipeline(self) -> Pipeline:
        """Commands up to a closing parenthesis or the end."""
        commands = [self._command()]
        while self.peek() == "|":
            self._take()
            commands.append(self._command())
        return Pipeline(tuple(commands))

    def _command(self) -> tuple[Literal | Field | Function | Pipeline, ...]:
        operands: list[Literal | Field | Function | Pipeline] = []
        while self.peek() not in (None, "|", ")"):
            operands.append(self._operand())
        if not operands:
            raise TemplateError("template: :1: missing value for command")
        return tuple(operands)

    def _operand(self) -> Literal | Field | Function | Pipeline:
        word = self._take()
        if word.text == "(" and word.kind == "symbol":
            return self._parenthesis()
        if word.kind in ("string", "number"):
            return Literal(word.literal())
        if word.kind == "word":
            return Literal(_CONSTANTS[word.text]) if word.text in _CONSTANTS else Function(word.text)
        if word.kind == "symbol":
            raise TemplateError(f"template: :1: unexpected {word.text!r} in operand")
        base, *names = word.text.split(".")
        return Field(base or ".", tuple(name for name in names if name))

    def _parenthesis(self) -> Field | Pipeline:
        inner = self.pipeline()
        if self.peek() != ")":
            raise TemplateError("template: :1: unclosed left paren")
        self._take()
        following = self._line[self._at] if self._at < len(self._line) else None
        if following and following.kind == "field" and not following.spaced:
            self._take()
            return Field(inner, tuple(following.text.split(".")[1:]))
        return inner
