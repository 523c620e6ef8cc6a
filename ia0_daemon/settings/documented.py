"""The schema's own words: the docstrings of its sections and keys.

Owns reading them from the source, since Python keeps no docstring of a field.
Never words anything itself.

    the section's module -> ast -> Words(section, fields)
"""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass

from ia0_daemon.settings.schema import Section


@dataclass(frozen=True)
class Words:
    """What the schema says about a section and about each of its keys."""

    section: str
    fields: dict[str, str]


def words(section: type[Section]) -> Words:
    """The docstrings of a section, each on one line per paragraph."""
    tree = ast.parse(inspect.getsource(sys.modules[section.__module__]))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == section.__name__:
            return Words(_flat(ast.get_docstring(node) or ""), _fields(node))
    raise LookupError(section)


def _fields(node: ast.ClassDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for statement, following in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found[statement.target.id] = _docstring(following)
    return found


def _docstring(node: ast.stmt) -> str:
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        return _flat(inspect.cleandoc(node.value.value))
    return ""


def _flat(text: str) -> str:
    """Markdown's single backticks for the docstrings' double ones, and no line breaks."""
    return " ".join(text.replace("``", "`").split())
