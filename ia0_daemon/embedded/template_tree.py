"""The nodes of a parsed Go template.

Owns the shapes and two questions about a tree: which names does it use, and
what remains when everything after ``.Response`` is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Literal:
    """A constant."""

    value: object


@dataclass(frozen=True)
class Field:
    """``.A.B`` (base ``.``), ``$x.A`` (base ``$x``) or ``(pipeline).A`` (base a Pipeline)."""

    base: str | Pipeline
    names: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """A function's name where a value may stand."""

    name: str


Operand = "Literal | Field | Function | Pipeline"


@dataclass(frozen=True)
class Pipeline:
    """Commands joined by ``|``; may declare (``:=``) or set (``=``) variables."""

    commands: tuple[tuple[Literal | Field | Function | Pipeline, ...], ...]
    variables: tuple[str, ...] = ()
    declares: bool = False


@dataclass(frozen=True)
class Text:
    """Text as it stands."""

    text: str


@dataclass(frozen=True)
class Action:
    """``{{ pipeline }}``."""

    pipeline: Pipeline


@dataclass(frozen=True)
class Branch:
    """``if``, ``range`` or ``with``."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...] = ()
    otherwise: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Jump:
    """``break`` or ``continue``."""

    kind: str


Node = Text | Action | Branch | Jump


def names_used(nodes: tuple[Node, ...]) -> set[str]:
    """Every field name of the tree in lower case, as Ollama collects them."""
    return {name.lower() for node in nodes for name in _node_names(node)}


def _node_names(node: Node) -> Iterator[str]:
    if isinstance(node, Action | Branch):
        yield from _pipeline_names(node.pipeline)
    if isinstance(node, Branch):
        for child in (*node.body, *node.otherwise):
            yield from _node_names(child)


def _pipeline_names(pipeline: Pipeline) -> Iterator[str]:
    for command in pipeline.commands:
        for operand in command:
            if isinstance(operand, Field):
                yield from operand.names
                if isinstance(operand.base, Pipeline):
                    yield from _pipeline_names(operand.base)
            elif isinstance(operand, Pipeline):
                yield from _pipeline_names(operand)


@dataclass
class _Cut:
    """Whether ``.Response`` has been passed."""

    done: bool = False
    kept: list[Node] = field(default_factory=list)


def cut_after_response(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The tree without everything that follows ``.Response``: where the model goes on writing."""
    return _cut_nodes(nodes, _Cut())


def _cut_nodes(nodes: tuple[Node, ...], state: _Cut) -> tuple[Node, ...]:
    kept: list[Node] = []
    for node in nodes:
        if state.done:
            break
        if isinstance(node, Branch):
            body = _cut_nodes(node.body, state)
            otherwise = () if state.done else _cut_nodes(node.otherwise, state)
            kept.append(replace(node, body=body, otherwise=otherwise))
            continue
        kept.append(node)
        state.done = isinstance(node, Action) and "Response" in set(_pipeline_names(node.pipeline))
    return tuple(kept)
