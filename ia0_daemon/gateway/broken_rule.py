"""What msgspec says of a wrong value, in our words: the rule, and the kind of value that came instead.

Owns these words. Pure: a sentence of msgspec's in, a rule out. Never repeats a value of the caller's, which
may be a prompt; a sentence that is not known here is given as it is, where it cannot hold one.

    "Expected `str | array`, got `int`" -> "must be a text or a list, not a number"
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What JSON's values are called, where they are expected and where they came.
_KINDS = {
    "str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "null",
    "array": "a list", "object": "an object",
}  # fmt: skip
_CAME = _KINDS | {"int": "a number"}
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_PARTS = {"str": "character", "array": "entry", "object": "field", "bytes": "byte"}
_PLURALS = {"entry": "entries"}


def rule_of(sentence: str, choices: Sequence[str] = ()) -> str:
    """Say in our words what msgspec's sentence, without its place, says; `choices` alone may stand there."""
    for pattern, say in _SENTENCES:
        match = pattern.fullmatch(sentence)
        if match is not None:
            return say(match, choices)
    return sentence.replace("`", "")


def _kind(match: re.Match[str], choices: Sequence[str]) -> str:
    kinds = [each for each in match[1].split(" | ") if each != "null"] or ["null"]
    expected = f"must be {_either(choices or [_KINDS[each] for each in kinds])}"
    if match[2] is None:
        return expected
    # Of a number that is not taken at all its fraction says nothing.
    came = "a number with a fraction" if "int" in kinds and match[2] == "float" else _CAME[match[2]]
    return f"{expected}, not {came}"


def _bound(match: re.Match[str], _choices: Sequence[str]) -> str:
    return f"must be {_BOUNDS[match[1]]} {match[2].removesuffix('.0')}"


def _length(match: re.Match[str], _choices: Sequence[str]) -> str:
    return f"must have {_BOUNDS[match[2]]} {_counted(match[3], _PARTS[match[1]])}"


def _entries(match: re.Match[str], _choices: Sequence[str]) -> str:
    count = match[2] if match[3] is None else f"{match[2]} to {match[3]}"
    came = "" if match[4] is None else f", not {match[4]}"
    return f"must have {match[1].removesuffix('length ')}{_counted(count, 'entry')}{came}"


def _pattern(match: re.Match[str], _choices: Sequence[str]) -> str:
    return f"must match the pattern {match[1]}"


def _multiple(match: re.Match[str], _choices: Sequence[str]) -> str:
    return f"must be a multiple of {match[1]}"


def _choice(_match: re.Match[str], choices: Sequence[str]) -> str:
    return f"must be {_either(choices)}" if choices else "is none of the values that are taken"


def _range(_match: re.Match[str], _choices: Sequence[str]) -> str:
    return "is a number beyond all that can be taken"


def _either(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _counted(count: str, part: str) -> str:
    return f"{count} {part if count == '1' else _PLURALS.get(part, f'{part}s')}"


_NUMBER = r"(-?[\d.e+-]+)"
_KIND = "|".join(_KINDS)
_SENTENCES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Sequence[str]], str]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), say)
    for pattern, say in (
        (rf"Expected `((?:{_KIND})(?: \| (?:{_KIND}))*)`(?:, got `({_KIND})`)?", _kind),
        (rf"Expected `(?:int|float)` (>=|<=|>|<) {_NUMBER}", _bound),
        (rf"Expected `({'|'.join(_PARTS)})` of length (>=|<=) (\d+)", _length),
        (
            r"Expected `array` of ((?:at (?:least|most) )?length )(\d+)(?: to (\d+))?(?:, got (\d+))?",
            _entries,
        ),
        (r"Expected `str` matching regex (.+)", _pattern),
        (r"Expected `(?:int|float)` that's a multiple of (.+)", _multiple),
        (r"Invalid (?:enum )?value .+", _choice),
        (r"(?:Integer value|Number) out of range", _range),
    )
)
