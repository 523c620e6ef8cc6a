"""The page of the API says each thing once, and can be read without eyes and used without a mouse."""

from __future__ import annotations

from collections import Counter
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from ia0_daemon.errors import PayloadTooLarge
from ia0_daemon.gateway.docs_page import page
from ia0_daemon.gateway.documented import flat
from ia0_daemon.gateway.error_shapes import openai_code
from ia0_daemon.gateway.openapi import document, path_of
from ia0_daemon.gateway.openapi_answers import errors_of, sent_errors
from ia0_daemon.gateway.operation import Operation
from ia0_daemon.gateway.routes import OPERATIONS

Attributes = dict[str, str | None]
LABELLED = ("input", "textarea", "output", "table")
VOID = ("meta", "link", "input", "br", "wbr")


@cache
def api() -> dict[str, Any]:
    return document(OPERATIONS)


@cache
def html() -> str:
    return page(api())


class Page(HTMLParser):
    """The page's elements, each with its attributes and the names of those that it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes, tuple[str, ...]]] = []
        self.open: list[str] = []
        self.feed(html())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, *tags: str) -> list[tuple[str, Attributes, tuple[str, ...]]]:
        return [each for each in self.elements if each[0] in tags]


@cache
def read() -> Page:
    return Page()


def section(row: Operation) -> str:
    """What the page says of a route."""
    ident = api()["paths"][path_of(row)][row.method.lower()]["operationId"]
    return html().partition(f'<section id="{ident}">')[2].partition("</section>")[0]


def test_every_element_is_closed() -> None:
    assert read().open == []


def test_every_id_is_there_once() -> None:
    ids = Counter(attributes["id"] for _, attributes, _ in read().elements if "id" in attributes)
    assert {name for name, count in ids.items() if count > 1} == set()


def test_every_link_within_the_page_leads_somewhere() -> None:
    ids = {attributes.get("id") for _, attributes, _ in read().elements}
    links = {attributes.get("href") or "" for _, attributes, _ in read().all("a")}
    assert {link for link in links if link.startswith("#") and link[1:] not in ids} == set()


def test_no_level_of_headings_is_left_out() -> None:
    levels = [int(tag[1]) for tag, _, _ in read().all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_contents_lead_to_every_heading_of_the_second_level() -> None:
    links = {attributes.get("href") for _, attributes, within in read().all("a") if "nav" in within}
    assert {f"#{attributes['id']}" for _, attributes, _ in read().all("h2")} <= links


def test_everything_that_is_filled_in_or_read_has_a_name() -> None:
    labels = {attributes.get("for") for _, attributes, _ in read().all("label")}
    for tag, attributes, within in read().all(*LABELLED):
        assert "aria-label" in attributes or "label" in within or attributes.get("id") in labels, (
            tag,
            attributes,
        )


def test_every_button_says_what_it_sends() -> None:
    names = [attributes["aria-label"] for _, attributes, _ in read().all("button")]
    assert len(set(names)) == len(names)


def test_the_page_has_no_style_and_no_script_that_its_policy_forbids() -> None:
    for _, attributes, _ in read().elements:
        assert not {name for name in attributes if name == "style" or name.startswith("on")}
    assert len(read().all("style")) == len(read().all("script")) == 1


def test_what_an_error_means_stands_once_though_every_route_can_meet_it() -> None:
    said = flat(PayloadTooLarge.__doc__ or "").partition("`")[0]
    assert html().count(said) == 1


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: f"{row.method} {row.path}")
def test_a_route_links_the_errors_that_it_can_answer_and_no_other(row: Operation) -> None:
    spelt = openai_code if row.path.startswith("/v1/") else str
    wanted = {spelt(kind.code) for kind in errors_of(row)}
    every = {code for each in sent_errors() for code in (each, openai_code(each))}
    said = section(row)
    assert {code for code in every if f'href="#error-{code}"' in said} == wanted
