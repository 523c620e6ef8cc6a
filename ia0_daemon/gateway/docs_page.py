"""The API's description as a page: HTML with its own style and script, and nothing from outside.

Owns how the document reads for people. Pure; never knows a route that the document does not have.

    document -> template -> one HTML text, and the policy that lets it load nothing else
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ia0_daemon.gateway.openapi_schemas import Schema

_FOLDER = "templates"
_CODE = re.compile(r"`([^`]+)`")
_JOINTS = {"anyOf": Markup(", or "), "oneOf": Markup(", or "), "allOf": Markup(", and ")}
_RANGES = (
    ("minimum", "from {}"), ("exclusiveMinimum", "above {}"),
    ("maximum", "to {}"), ("exclusiveMaximum", "below {}"),
    ("minLength", "at least {} characters"), ("maxLength", "at most {} characters"),
    ("minItems", "at least {} of them"), ("maxItems", "at most {} of them"), ("pattern", "matching {}"),
)  # fmt: skip


def page(document: dict[str, Any]) -> str:
    """Write the page of a document."""
    loader = PackageLoader("ia0_daemon.gateway", _FOLDER)
    jinja = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    jinja.filters.update(prose=prose, kind=kind, pretty=_pretty)
    shown = {"style": Markup(_text("docs.css")), "script": Markup(_text("docs.js"))}  # noqa: S704  # our own files
    return jinja.get_template("docs.html").render(api=document, operations=_by_tag(document), **shown)


def policy() -> str:
    """Give the Content-Security-Policy of the page: its own style, its own script, this daemon."""
    return (
        f"default-src 'none'; style-src {_hash('docs.css')}; script-src {_hash('docs.js')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def prose(text: str) -> Markup:
    """Give paragraphs, tables and `code` of a description as HTML; no more of Markdown is used in one."""
    return Markup("").join(_block(block) for block in text.strip().split("\n\n"))


def kind(schema: Schema) -> Markup:
    """Say what a schema allows, in words; a struct is a link to its own table."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    for word, joint in _JOINTS.items():
        if word in schema:
            return joint.join(kind(each) for each in schema[word])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Markup(", ").join(Markup("<code>{}</code>").format(value) for value in values)
    return Markup(", ").join([_type(schema), *_ranges(schema)])


def _type(schema: Schema) -> Markup:
    name = schema.get("type", "anything")
    if name == "array":
        return (
            Markup("a list of {}").format(kind(schema["items"])) if schema.get("items") else Markup("a list")
        )
    return escape(" or ".join(name) if isinstance(name, list) else name)


def _ranges(schema: Schema) -> Iterator[Markup]:
    for name, words in _RANGES:
        if name in schema:
            yield escape(words.format(schema[name]))


def _by_tag(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append({"path": path, "method": method.upper(), **operation})
    return found


def _block(block: str) -> Markup:
    if not block.startswith("|"):
        return Markup("<p>{}</p>").format(_inline(block))
    head, _, *rows = (_cells(line) for line in block.splitlines())
    body = Markup("").join(_row(row, "td") for row in rows)
    return Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(_row(head, "th"), body)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| ").split("|")]


def _row(cells: list[str], tag: str) -> Markup:
    inner = Markup("").join(Markup("<{0}>{1}</{0}>").format(tag, _inline(cell)) for cell in cells)
    return Markup("<tr>{}</tr>").format(inner)


def _inline(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped just now


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _text(name: str) -> str:
    return (files("ia0_daemon.gateway") / _FOLDER / name).read_text("utf-8")


def _hash(name: str) -> str:
    digest = hashlib.sha256(_text(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
