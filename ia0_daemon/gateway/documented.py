"""The words of a struct or a typed dict: the docstrings beneath its fields.

Owns reading them from the source, since Python keeps no docstring of a field.
Never words anything itself.

    a type -> its module's source -> ast -> {field: sentence}
"""

from __future__ import annotations

import ast
import inspect
import sys


class Words:
    """Reads the docstrings of fields; each module is parsed once."""

    def __init__(self) -> None:
        self._modules: dict[str, dict[str, ast.ClassDef]] = {}

    def of(self, kind: type) -> dict[str, str]:
        """Give what a type says of its fields, those of its bases included."""
        bases = [each for each in kind.__mro__ if each.__module__.startswith("ia0_daemon")]
        said: dict[str, str] = {}
        for each in reversed(bases):
            node = self._classes(each.__module__).get(each.__name__)
            said |= _fields(node) if node is not None else {}
        return said

    def _classes(self, module: str) -> dict[str, ast.ClassDef]:
        if module not in self._modules:
            tree = ast.parse(inspect.getsource(sys.modules[module]))
            self._modules[module] = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        return self._modules[module]


def _fields(node: ast.ClassDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for statement, following in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            said = _docstring(following)
            if said:
                found[statement.target.id] = said
    return found


def _docstring(node: ast.stmt) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    return flat(value.value) if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def flat(text: str) -> str:
    """Give a text on one line."""
    return " ".join(text.replace("``", "`").split())
