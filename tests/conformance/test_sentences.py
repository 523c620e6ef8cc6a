"""The list of sentences is whole: each is held by a test or says why not, and the document says the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.conformance.sentences import Sentence, render_left_out

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"

Collected = list[tuple[str, tuple[str, ...]]]


def test_every_sentence_is_held_by_a_test_or_says_why_not(
    sentences: list[Sentence], collected: Collected, whole_suite: bool
) -> None:
    held = {one for _, ids in collected for one in ids}
    missing = [one.id for one in sentences if not one.left_out and one.id not in held]
    assert not (whole_suite and missing), f"no test holds {missing}"


def test_what_is_left_out_is_held_by_no_test(sentences: list[Sentence], collected: Collected) -> None:
    held = {one for _, ids in collected for one in ids}
    assert not [one.id for one in sentences if one.left_out and one.id in held]


def test_no_test_names_a_sentence_that_is_not_listed(sentences: list[Sentence], collected: Collected) -> None:
    known = {one.id for one in sentences}
    assert not [(test, set(ids) - known) for test, ids in collected if set(ids) - known]


def test_every_id_is_used_once(sentences: list[Sentence]) -> None:
    assert not [name for name, count in Counter(one.id for one in sentences).items() if count > 1]


def test_the_document_lists_what_is_left_out(sentences: list[Sentence]) -> None:
    wanted = render_left_out(sentences)
    assert wanted in DOCUMENT.read_text(encoding="utf-8"), (
        "write it anew: python -m tests.conformance.sentences"
    )
