"""Carries a Go template out.

    run(nodes, data) -> text

Owns Go's rules for scopes, ranges and fields. Never parses. Values are Python's:
dict, list, str, numbers, None; a dict prints as JSON, as Ollama's tool types do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from ia0_daemon.embedded.template_functions import FUNCTIONS, printed, truth
from ia0_daemon.embedded.template_lex import TemplateError
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


class _Jumped(Exception):
    """A ``break`` or ``continue`` on its way to its range."""


def run(nodes: tuple[Node, ...], data: Mapping[str, object]) -> str:
    """The text of the template with this data."""
    out: list[str] = []
    _Run(out).nodes(nodes, data, {"$": data})
    return "".join(out)


class _Run:
    """One execution: where the text goes."""

    def __init__(self, out: list[str]) -> None:
        self._out = out

    def nodes(self, nodes: Iterable[Node], dot: object, scope: dict[str, object]) -> None:
        """Carry out nodes in order; new variables live until the end of the list."""
        for node in nodes:
            if isinstance(node, Text):
                self._out.append(node.text)
            elif isinstance(node, Action):
                value = self._pipeline(node.pipeline, dot, scope)
                if not node.pipeline.variables:
                    self._out.append(printed(value))
            elif isinstance(node, Jump):
                raise _Jumped(node.kind)
            else:
                self._branch(node, dot, _Scope(scope))

    def _branch(self, node: Branch, dot: object, scope: dict[str, object]) -> None:
        if node.kind == "range":
            self._range(node, dot, scope)
            return
        value = self._pipeline(node.pipeline, dot, scope)
        if truth(value):
            self.nodes(node.body, value if node.kind == "with" else dot, scope)
        else:
            self.nodes(node.otherwise, dot, scope)

    def _range(self, node: Branch, dot: object, scope: dict[str, object]) -> None:
        plain = Pipeline(node.pipeline.commands)
        pairs = _pairs(self._pipeline(plain, dot, scope))
        if not pairs:
            self.nodes(node.otherwise, dot, scope)
        for key, value in pairs:
            inner = _Scope(scope)
            _bind_range(node.pipeline.variables, key, value, inner)
            try:
                self.nodes(node.body, value, inner)
            except _Jumped as jumped:
                if str(jumped) == "break":
                    break

    def _pipeline(self, pipeline: Pipeline, dot: object, scope: dict[str, object]) -> object:
        value: object = None
        for index, command in enumerate(pipeline.commands):
            value = self._command(command, dot, scope, [value] if index else [])
        for name in pipeline.variables:
            if pipeline.declares or not isinstance(scope, _Scope):
                scope[name] = value
            else:
                scope.assign(name, value)
        return value

    def _command(
        self,
        command: tuple[Literal | Field | Function | Pipeline, ...],
        dot: object,
        scope: dict[str, object],
        piped: list[object],
    ) -> object:
        head, *rest = command
        if isinstance(head, Function):
            arguments = [self._operand(item, dot, scope) for item in rest] + piped
            return _function(head.name)(*arguments)
        if rest or piped:
            raise TemplateError("template: can't give argument to non-function")
        return self._operand(head, dot, scope)

    def _operand(
        self, item: Literal | Field | Function | Pipeline, dot: object, scope: dict[str, object]
    ) -> object:
        if isinstance(item, Literal):
            return item.value
        if isinstance(item, Function):
            return _function(item.name)()
        if isinstance(item, Pipeline):
            return self._pipeline(item, dot, scope)
        if isinstance(item.base, Pipeline):
            value = self._pipeline(item.base, dot, scope)
        elif item.base == ".":
            value = dot
        else:
            value = _variable(item.base, scope)
        for name in item.names:
            value = lookup(value, name)
        return value


class _Scope(dict[str, object]):
    """Variables of a block above those of the blocks around it."""

    def __init__(self, outer: dict[str, object]) -> None:
        super().__init__(outer)
        self._outer = outer

    def assign(self, name: str, value: object) -> None:
        """``$x = value``: changes the variable also where it was declared."""
        self[name] = value
        if isinstance(self._outer, _Scope):
            self._outer.assign(name, value)
        elif name in self._outer:
            self._outer[name] = value


def _variable(name: str, scope: dict[str, object]) -> object:
    if name not in scope:
        raise TemplateError(f"template: undefined variable {name!r}")
    return scope[name]


def _bind_range(names: tuple[str, ...], key: object, value: object, scope: dict[str, object]) -> None:
    if len(names) == 1:
        scope[names[0]] = value
    elif names:
        scope[names[0]], scope[names[1]] = key, value


def _pairs(value: object) -> list[tuple[object, object]]:
    if isinstance(value, Mapping):
        return sorted(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return [(number, number) for number in range(value)]
    if value is None:
        return []
    raise TemplateError(f"template: range can't iterate over {printed(value)}")


def lookup(value: object, name: str) -> object:
    """Field ``Name``; JSON's ``snake_case`` keys are found by their Go names, a missing one is nil."""
    if not isinstance(value, Mapping):
        if value is None:
            return None
        raise TemplateError(f"template: can't evaluate field {name}")
    if name in value:
        return value[name]
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return value.get(snake)


def _function(name: str) -> Callable[..., object]:
    try:
        return FUNCTIONS[name]
    except KeyError:
        raise TemplateError(f'template: :1: function "{name}" not defined') from None
