"""The API's description is valid, whole, and true of the routes that are registered."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.gate import Gate
from ia0_daemon.gateway import respond
from ia0_daemon.gateway.app import api
from ia0_daemon.gateway.call import Call
from ia0_daemon.gateway.docs_page import page, policy
from ia0_daemon.gateway.error_shapes import body_of, shape_of
from ia0_daemon.gateway.metrics import Metrics
from ia0_daemon.gateway.openapi import document, path_of
from ia0_daemon.gateway.openapi_answers import HEADERS, sent_errors
from ia0_daemon.gateway.operation import Operation
from ia0_daemon.gateway.routes import OPERATIONS
from ia0_daemon.gateway.service import Live, Service
from ia0_daemon.settings.schema import Settings
from tests.contract.test_errors import CODES
from tests.fakes import MODEL, FakeClient, FakeControl

each_row = pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: f"{row.method} {row.path}")


@cache
def api_document() -> dict[str, Any]:
    return document(OPERATIONS)


@cache
def html() -> str:
    return page(api_document())


def described(row: Operation) -> dict[str, Any]:
    found: dict[str, Any] = api_document()["paths"][path_of(row)][row.method.lower()]
    return found


def check(value: object, schema: dict[str, Any]) -> None:
    """Hold a value against a schema of the document, its references included."""
    whole = {**schema, "components": api_document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def service() -> Service:
    settings = Settings(models={"small": MODEL})
    return Service(Live.of(settings, FakeClient(), EngineWatch(FakeControl(), 5)), Metrics(), Gate(16, 30))


def test_it_is_valid_openapi_3_1() -> None:
    validate(api_document(), cls=OpenAPIV31SpecValidator)


def test_every_registered_route_is_in_it_and_no_other() -> None:
    registered = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in api(service()).url_map.iter_rules()
        for method in rule.methods or ()
    }
    said = {(path, method) for path, methods in api_document()["paths"].items() for method in methods}
    # Flask adds these two by itself.
    assert {each for each in registered if each[1] not in ("head", "options")} == {
        each for each in said if each[1] != "head"
    }
    assert said - registered == set()


@pytest.mark.parametrize("code", sorted(set(CODES) - {"CALLER_GONE"}))
def test_every_error_that_is_sent_is_in_it(code: str) -> None:
    assert sent_errors()[code].status == CODES[code]
    assert f"| `{code}` | {CODES[code]} |" in api_document()["info"]["description"]


def test_no_error_that_is_not_sent_is_in_it() -> None:
    assert set(sent_errors()) == set(CODES) - {"CALLER_GONE"}


@pytest.mark.parametrize("code", sorted(sent_errors()))
@pytest.mark.parametrize("path", ["/llm/generate", "/v1/models", "/api/tags"])
def test_an_error_passes_the_schema_of_its_path(path: str, code: str) -> None:
    kind = sent_errors()[code]
    error = kind() if code == "INTERNAL_ERROR" else kind("a reason", field="x")
    name = shape_of(path).kind.__name__
    check(body_of(path, error, "1"), {"$ref": f"#/components/schemas/{name}"})


@each_row
def test_every_operation_says_what_it_is_for(row: Operation) -> None:
    said = described(row)
    assert said["summary"].endswith(".")
    assert said["tags"] == [row.tag]


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [described(row)["operationId"] for row in OPERATIONS]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "row",
    [row for row in OPERATIONS if isinstance(row.takes, type)],
    ids=lambda row: f"{row.method} {row.path}",
)
def test_every_operation_with_a_body_shows_examples_that_pass_its_schema(row: Operation) -> None:
    media = described(row)["requestBody"]["content"][row.takes_type]
    assert media.get("examples")
    for example in media["examples"].values():
        check(example["value"], media["schema"])


@each_row
def test_every_json_answer_has_a_schema(row: Operation) -> None:
    for status in row.statuses:
        content = described(row)["responses"][str(status)]["content"]
        assert (content == {}) == (row.gives_type == "")
        assert all(media["schema"] for media in content.values())


@each_row
def test_an_operation_without_a_key_says_so(row: Operation) -> None:
    assert (described(row).get("security") == []) == row.is_open
    assert ("401" in described(row)["responses"]) != row.is_open


def test_every_header_of_an_answer_is_described() -> None:
    call = Call("1", "POST", "/", "/", "", bool)
    call.cached, call.passed_over = True, ["a"]
    call.truncated = {"prompt_tokens": 2, "context_tokens": 1}
    assert set(respond.headers(call)) - set(HEADERS) == set()


def test_the_words_beneath_a_field_are_its_description() -> None:
    fields = api_document()["components"]["schemas"]["GenerateRequest"]["properties"]
    assert fields["system"]["description"] == "What the model is told before the prompt."


def test_ranges_are_in_it() -> None:
    top_k = api_document()["components"]["schemas"]["Params"]["properties"]["top_k"]
    assert {"type": "integer", "minimum": 0, "maximum": 1000} in top_k["anyOf"]


def test_the_page_loads_nothing_from_outside() -> None:
    text = html()
    loaded = re.findall(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)|url\(([^)]+)\)|@import""", text)
    assert {link for link, _ in loaded if not link.startswith(("#", "data:"))} == {"/openapi.json"}
    assert all(not url for _, url in loaded)


@pytest.mark.parametrize(("tag", "name"), [("style", "style-src"), ("script", "script-src")])
def test_the_pages_policy_allows_its_own_style_and_script_and_no_other(tag: str, name: str) -> None:
    (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html(), re.S)
    digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy().split(";"))
    assert rules[name] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"


@each_row
def test_the_page_has_every_operation(row: Operation) -> None:
    assert f'<section id="{described(row)["operationId"]}">' in html()


def test_the_documents_are_served_with_an_etag_and_once_is_enough() -> None:
    http = api(service()).test_client()
    for path in ("/openapi.json", "/docs"):
        first = http.get(path)
        again = http.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert http.get("/openapi.json").get_json()["openapi"] == "3.1.0"
