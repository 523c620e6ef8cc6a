"""Is a place where a stream went on clean: no word repeated, joined to the next one, or cut?

    bad_seams(outcomes) -> the faults

What a word is, the answers themselves say: every word that is written away from
a seam is one. Where the sampler chose otherwise than in an uncut answer is no
fault, and a word that is seen for the first time is none either; so a fault
needs a sign of its own, which each rule names. That nothing is missing at a seam
is `agree.py`'s matter, which has the engine's own text for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.clients import PROMPTS, Outcome

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_BLANKS = re.compile(r"[ \t]{2,}")
# How far from a seam a word must be to be taken for whole.
_NEAR = 40
# A word may be met first without its ending: that is no cut one.
_ENDINGS = frozenset(
    (
        "s",
        "es",
        "ed",
        "d",
        "ing",
        "er",
        "r",
        "ers",
        "ly",
        "y",
        "n",
        "en",
        "al",
        "ion",
        "ions",
        "'s",
        "\u2019s",
    )
)
_REPEATED = (40, 20, 12)


@dataclass(frozen=True)
class Vocabulary:
    """What is written away from every seam, in lower case."""

    words: frozenset[str]
    doubles: frozenset[str]
    """Words that follow themselves."""
    thirds: frozenset[tuple[str, str, str]]
    """Three words in a row."""
    has_wide_blanks: bool
    """Whether two blanks in a row are ever written."""

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Vocabulary:
        """Take it from answers; what lies near a seam is left out."""
        parts = [part for outcome in outcomes for part in _away_from_seams(outcome)]
        words = [[word.lower() for word in _WORD.findall(part)] for part in (*parts, *PROMPTS)]
        return cls(
            frozenset(word for part in words for word in part),
            frozenset(first for part in words for first, second in pairwise(part) if first == second),
            frozenset(third for part in words for third in zip(part, part[1:], part[2:], strict=False)),
            any(_BLANKS.search(part) for part in parts),
        )


def bad_seams(outcomes: list[Outcome]) -> list[str]:
    """Look at every seam of every answer."""
    vocabulary = Vocabulary.of(outcomes)
    faults = []
    for outcome in outcomes:
        for at in outcome.figures.get("resumed_at", ()):
            shown = f"{outcome.text[max(0, at - 30) : at]!r} + {outcome.text[at : at + 30]!r}"
            fault = _fault(outcome.text, at, vocabulary)
            faults += [f"{outcome.request_id}: {fault}: {shown}"] if fault else []
    return faults


def _fault(text: str, at: int, vocabulary: Vocabulary) -> str:
    across = next((m for m in _WORD.finditer(text) if m.start() < at < m.end()), None)
    if across is not None:
        fault = _joined(text[across.start() : at], text[at : across.end()], vocabulary)
    else:
        fault = _between(text, at, vocabulary)
    return fault or _repeated(text, at)


def _joined(first: str, second: str, vocabulary: Vocabulary) -> str:
    """Two words without the blank between them: each is one, and both together are none."""
    words = vocabulary.words
    if first.lower() in words and second.lower() in words and (first + second).lower() not in words:
        return f"the words {first!r} and {second!r} are joined"
    return ""


def _between(text: str, at: int, vocabulary: Vocabulary) -> str:
    before, after = _WORD.findall(text[:at]), _WORD.findall(text[at:])
    if not before or not after:
        return ""
    *_, first, second, last = ["", "", *(word.lower() for word in before)]
    if last == after[0].lower() and last not in vocabulary.doubles:
        return f"the word {after[0]!r} is written twice"
    is_whole = not text[:at].endswith(before[-1]) or not text[at].isspace()
    if not is_whole and _is_cut(first, second, last, vocabulary):
        return f"the word {before[-1]!r} is cut"
    blanks = next((m for m in _BLANKS.finditer(text) if m.start() < at <= m.end()), None)
    if blanks is not None and not vocabulary.has_wide_blanks:
        return "two blanks in a row"
    return ""


def _is_cut(first: str, second: str, last: str, vocabulary: Vocabulary) -> bool:
    """No known word, but the beginning of one that stands behind the same two words elsewhere.

    At temperature 0 answers to one prompt are alike for a while, so a cut word has its whole one there.
    """
    endings = {
        third.removeprefix(last)
        for one, two, third in vocabulary.thirds
        if (one, two) == (first, second) and third.startswith(last)
    }
    return bool(endings) and last not in vocabulary.words and not endings & _ENDINGS


def _repeated(text: str, at: int) -> str:
    for size in _REPEATED:
        tail = text[max(0, at - size) : at]
        if len(tail) == size and text[at:].startswith(tail):
            return f"{size} characters are written twice"
    return ""


def _away_from_seams(outcome: Outcome) -> list[str]:
    """The parts of an answer in which every word is whole."""
    seams = outcome.figures.get("resumed_at", ())
    if not seams:
        # The last word of an answer that ended at its length may be cut.
        return [outcome.text.rpartition(" ")[0]]
    starts = [0, *(at + _NEAR for at in seams)]
    ends = [*(at - _NEAR for at in seams), len(outcome.text)]
    parts = [outcome.text[start:end] for start, end in zip(starts, ends, strict=True) if start < end]
    # The words at both ends of a part may be cut by this very cutting.
    return [" ".join(part.split(" ")[1:-1]) for part in parts]
