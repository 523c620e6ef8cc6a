"""docs/api.md names the routes that are there, no others, and says who may use each."""

from __future__ import annotations

import re

import pytest

from ia0_daemon.gateway.openapi_schemas import Schemas
from ia0_daemon.gateway.operation import Operation
from ia0_daemon.gateway.routes import OPERATIONS
from tests.contract.roles import REPOSITORY

PAGE = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(?:([A-Z]+) )?(/[^`\s]*)`|`([A-Z]+)`")
VARIABLE = re.compile(r"<[^>]*>|\{[^}]*\}")
# How the tables say it, by (open, admin).
NEEDS = {
    (True, False): {"no", "nothing"},
    (False, False): {"yes", "a key", "yes (not on the health listener)"},
    (False, True): {"a key with `admin = true`"},
}
# What the others' routes have in common with OpenAI and Ollama, their own documents tell.
OURS = ("IA-0", "Health")

Route = tuple[str, str]


def routes(cell: str) -> list[Route]:
    """The routes of a cell: a path without a method has the last one, a method without a path the next."""
    found: list[Route] = []
    waiting: list[str] = []
    for method, path, alone in NAMED.findall(cell):
        if alone:
            waiting.append(alone)
            continue
        methods = [*waiting, method] if method else [found[-1][0]]
        found += [(each, VARIABLE.sub("<>", path)) for each in methods]
        waiting = []
    return found


def told() -> dict[Route, str]:
    """Each route of the page's tables, with the last cell of its row."""
    rows = [row.strip("| ").split(" | ") for row in PAGE.splitlines() if re.match(r"\| `[A-Z]+ /", row)]
    return {route: row[-1] for row in rows for route in routes(row[0])}


def route_of(row: Operation) -> Route:
    return row.method, VARIABLE.sub("<>", row.path)


def test_the_tables_have_every_route_and_no_other() -> None:
    assert set(told()) == {route_of(row) for row in OPERATIONS}


def test_no_sentence_names_a_path_that_is_not_there() -> None:
    known = {VARIABLE.sub("<>", row.path) for row in OPERATIONS}
    named = {VARIABLE.sub("<>", path) for _, path, _ in NAMED.findall(PAGE) if path[1:]}
    families = {path for path in named if path in ("/v1", "/api") or path.endswith("...")}
    assert named - families - known == set()


@pytest.mark.parametrize(
    "row",
    [row for row in OPERATIONS if not row.path.startswith("/v1/")],
    ids=lambda row: f"{row.method} {row.path}",
)
def test_the_tables_say_who_may_use_a_route(row: Operation) -> None:
    assert told()[route_of(row)] in NEEDS[row.is_open, row.is_admin]


def test_every_route_below_v1_needs_a_key_and_no_administrators() -> None:
    below = [row for row in OPERATIONS if row.path.startswith("/v1/")]
    assert {(row.is_open, row.is_admin) for row in below} == {(False, False)}


@pytest.mark.parametrize("row", [row for row in OPERATIONS if row.tag in OURS], ids=lambda row: row.path)
def test_every_field_of_our_own_routes_is_on_the_page(row: Operation) -> None:
    schemas = Schemas.of([row.takes, row.gives, *row.stream_gives, row.stream_fails])
    fields = {name for schema in schemas.components.values() for name in schema.get("properties", ())}
    assert {name for name in fields if not re.search(rf"\b{name}\b", PAGE)} == set()
