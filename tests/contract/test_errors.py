"""Every error code is documented where a developer and where an operator looks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ia0_daemon import errors

DOCS = Path(__file__).parents[2] / "docs"


def _tree(kind: type[errors.ServiceError]) -> list[type[errors.ServiceError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _tree(child))]


CLASSES = [kind for kind in _tree(errors.ServiceError) if kind is not errors.ServiceError]
# A class without a code of its own is told as its parent: the difference is the daemon's own affair.
CLASSES = [
    kind
    for kind in CLASSES
    if kind.code not in {parent.code for parent in kind.__bases__ if parent in CLASSES}
]
CODES = {kind.code: kind.status for kind in CLASSES}


def test_no_two_errors_share_a_code() -> None:
    assert len(CODES) == len(CLASSES)


@pytest.mark.parametrize("code", CODES)
def test_the_troubleshooting_page_has_an_entry_for_each_code(code: str) -> None:
    assert f"\n### {code}\n" in (DOCS / "troubleshooting.md").read_text("utf-8")


@pytest.mark.parametrize("code", set(CODES) - {"CALLER_GONE"})
def test_the_api_page_has_each_code_that_is_sent_with_its_status(code: str) -> None:
    page = (DOCS / "api.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|") and f"`{code}`" in line]
    assert any(str(CODES[code]) in row for row in rows), f"no row for `{code}` with {CODES[code]}"


def test_the_troubleshooting_page_has_no_code_that_is_gone() -> None:
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    assert set(re.findall(r"^### ([A-Z_]+)$", page, re.MULTILINE)) <= set(CODES)


def test_the_modules_own_drawing_is_complete() -> None:
    assert errors.__doc__ is not None
    for kind in CLASSES:
        assert re.search(rf"{kind.__name__} +{kind.status} {kind.code}\b", errors.__doc__), kind
