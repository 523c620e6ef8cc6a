"""What the documents name is there, and what there is to know is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract.roles import REPOSITORY

DOCUMENTS = sorted(
    [REPOSITORY / "README.md", *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("roles/*/README.md")]
)
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")

# The first parts of paths that belong to this repository; other paths in a document are the reader's.
FOLDERS = r"(?:docs|ia0_daemon|inventory|playbooks|requirements|roles|tests|\.ci)"
PATH = re.compile(rf"(?<![\w./-]){FOLDERS}/[\w./*-]*[\w*]")
# What a reader makes of inventory/example, under these names; no files of this repository.
READERS = re.compile(r"inventory/(fleet|inside|outside)\b")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):.*## ", MAKEFILE, re.M))


def text(document: Path) -> str:
    return document.read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_path_that_a_document_names_is_there(document: Path) -> None:
    places = [REPOSITORY, document.parent]
    missing = [
        name
        for name in PATH.findall(text(document)) + LINK.findall(text(document))
        if not READERS.match(name) and not any(any(place.glob(name)) for place in places)
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_make_target_that_a_document_names_is_there(document: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)", text(document))) | set(
        re.findall(r"^ *make ([a-z-]+)", text(document), re.M)
    )
    assert named - targets() == set()


def test_every_make_target_is_in_the_table_of_development() -> None:
    table = set(re.findall(r"^\| `make ([a-z-]+)` \|", text(REPOSITORY / "docs/development.md"), re.M))
    assert table == targets() - {"help"}


def test_every_make_target_is_phony_and_explained() -> None:
    assert targets() == set(re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.M))


def test_every_name_that_make_hands_on_is_in_the_example_of_env() -> None:
    names = re.search(r"^NAMES := (.*)$", MAKEFILE, re.M)
    assert names is not None
    example = text(REPOSITORY / ".env.example")
    assert set(names[1].split()) == set(re.findall(r"^#([A-Z0-9_]+)=", example, re.M))


def test_the_inventory_reads_every_name_that_make_hands_on() -> None:
    names = re.search(r"^NAMES := (.*)$", MAKEFILE, re.M)
    assert names is not None
    read = re.findall(
        r"lookup\('ansible\.builtin\.env', '([A-Z0-9_]+)'\)",
        text(REPOSITORY / "inventory/local/group_vars/all.yml"),
    )
    assert set(names[1].split()) == set(read)
