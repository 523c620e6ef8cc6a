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
_JOINTS = {"anyOf": Markup(", or "), "oneOf": Markup(", or ")}
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
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
    jinja.filters.update(prose=prose, kind=kind, inline=_inline, anchor=_anchor, examples=_examples)
    jinja.filters.update(pretty=_pretty, breakable=_breakable)
    jinja.tests.update(answer=_is_answer)
    shown = {"style": Markup(_text("docs.css")), "script": Markup(_text("docs.js"))}  # noqa: S704  # our own files
    return jinja.get_template("docs.html").render(api=document, operations=_by_tag(document), **shown)


def policy() -> str:
    """Give the Content-Security-Policy of the page: its own style, its own script, this daemon."""
    return (
        f"default-src 'none'; style-src {_hash('docs.css')}; script-src {_hash('docs.js')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def prose(text: str, ids: str = "") -> Markup:
    """Give headings, paragraphs, tables and `code` of a description as HTML; it uses no more of Markdown.

    With `ids`, what a cell of a table says in code alone can be linked to: `#`, `ids`, and that.
    """
    return Markup("").join(_block(block, ids) for block in text.strip().split("\n\n"))


def kind(schema: Schema) -> Markup:
    """Say what a schema allows, in words; a struct is a link to its own table."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if "allOf" in schema:
        # An error, narrowed to those that can come; the page links them by their codes.
        return kind(schema["allOf"][0])
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


def _block(block: str, ids: str) -> Markup:
    if block.startswith("## "):
        words = block.removeprefix("## ")
        return Markup('<h2 id="{}">{}</h2>').format(_anchor(words), _inline(words))
    if not block.startswith("|"):
        return Markup("<p>{}</p>").format(_inline(block))
    head, _, *rows = (_cells(line) for line in block.splitlines())
    heads = Markup("").join(Markup('<th scope="col">{}</th>').format(_inline(cell)) for cell in head)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(_cell(cell, ids) for cell in row)) for row in rows
    )
    return Markup(
        '<div class="wide"><table aria-label="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(", ".join(head).replace("`", ""), heads, body)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| ").split("|")]


def _cell(cell: str, ids: str) -> Markup:
    alone = _CODE.fullmatch(cell) if ids else None
    if alone is None:
        return Markup("<td>{}</td>").format(_inline(cell))
    return Markup('<td id="{}{}"><code>{}</code></td>').format(ids, alone[1], _breakable(alone[1]))


def _breakable(name: str) -> Markup:
    """Let a narrow screen break a name between its words, and nowhere else."""
    return Markup("_<wbr>").join(name.split("_"))


def _anchor(words: str) -> str:
    return _NOT_A_WORD.sub("-", words.lower()).strip("-")


def _is_answer(answer: dict[str, Any]) -> bool:
    """Say whether it is more than an error, each body of which is one that `openapi_answers.py` narrows."""
    content = answer["content"].values()
    return not content or not all("allOf" in media["schema"] for media in content)


def _examples(body: dict[str, Any]) -> list[dict[str, str | None]]:
    """Give what the page's form sends: the examples of a JSON body, or once nothing."""
    if "application/json" not in body:
        return [{"name": "", "text": None}]
    shown = [each["value"] for each in body["application/json"].get("examples", {}).values()] or [{}]
    names = ["Body"] if len(shown) == 1 else [f"Body, example {at}" for at, _ in enumerate(shown, start=1)]
    return [{"name": name, "text": _pretty(value)} for name, value in zip(names, shown, strict=True)]


def _inline(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped just now


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _text(name: str) -> str:
    return (files("ia0_daemon.gateway") / _FOLDER / name).read_text("utf-8")


def _hash(name: str) -> str:
    digest = hashlib.sha256(_text(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
