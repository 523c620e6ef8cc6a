"""`make chaos` finds a seam that is not clean, and takes no clean one for wrong."""

from __future__ import annotations

import pytest

from tests.chaos.clients import STREAM, Outcome
from tests.chaos.seams import bad_seams

UNCUT = (
    "The keeper of the lighthouse had a dog, and the dog had a house of its own beside the tall tower. "
    "Every night the keeper lit the lamp, and every morning he slept while the dog kept watch."
)


def answer(before: str, after: str) -> Outcome:
    """A stream that went on where `after` begins."""
    figures = {"resumed": 1, "resumed_at": [len(before)]}
    return Outcome(STREAM, "cut", "Tell me.", "answered", before + after, figures)


def faults(before: str, after: str) -> list[str]:
    return bad_seams([Outcome(STREAM, "uncut", "Tell me.", "answered", UNCUT), answer(before, after)])


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("Then the keeper lit the", "lamp again.", "the words 'the' and 'lamp' are joined"),
        ("Then the keeper", " keeper lit the lamp.", "the word 'keeper' is written twice"),
        ("The keeper of the lighth", " and slept.", "the word 'lighth' is cut"),
        ("He went to the keeper ", " and slept.", "two blanks in a row"),
        ("He saw the tall tower,", " tall tower, and slept.", "12 characters are written twice"),
    ],
)
def test_a_wrong_seam_is_found(before: str, after: str, fault: str) -> None:
    (found,) = faults(before, after)
    assert f"cut: {fault}: " in found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Then the keeper", " lit the lamp."),
        ("Then the keeper ", "lit the lamp."),
        ("He went into the light", "house and slept."),
        # Rare words, which no uncut answer has: whole before the seam, behind it, and across it.
        ("It was luminescent", " and strange."),
        ("It was", " luminescent and strange."),
        ("It was lumin", "escent and strange."),
        # The beginning of a known word: of another one at another place, or of a compound.
        ("He went into the lighth", " and slept."),
        ("The keeper of the lighth", "-ouse slept."),
        # The beginning of a known word, but a word of its own with another ending.
        ("Nothing but towers and night", " watches."),
        ("One morn", "ing after the other."),
        ("In the end.", "\n\nThe keeper slept."),
        ("", "The keeper slept."),
        ("The keeper slept.", ""),
    ],
)
def test_a_clean_seam_is_none(before: str, after: str) -> None:
    assert faults(before, after) == []


def test_a_word_without_its_ending_is_whole() -> None:
    texts = ("Planets turn.", UNCUT)
    uncut = [Outcome(STREAM, str(at), "Tell me.", "answered", text) for at, text in enumerate(texts)]
    assert bad_seams([*uncut, answer("Every planet", " turns.")]) == []


def test_a_word_that_the_model_doubles_elsewhere_may_be_doubled_at_a_seam() -> None:
    uncut = Outcome(STREAM, "uncut", "Tell me.", "answered", "It was very very tall, and it had had its day.")
    assert bad_seams([uncut, answer("It was very", " very small.")]) == []


def test_a_wrong_seam_does_not_teach_its_own_words() -> None:
    wrong = [
        answer("Then the keeper lit the", "lamp again."),
        answer("Then the keeper lit the", "lamp there."),
    ]
    found = bad_seams([Outcome(STREAM, "uncut", "Tell me.", "answered", UNCUT), *wrong])
    assert len(found) == 2
