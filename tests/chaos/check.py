"""What must hold of what clients, daemon and engine say; every function gives the faults that it found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tests.chaos.clients import PLAIN_TOKENS, STREAM, STREAM_TOKENS, Outcome

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


def tallies(outcomes: Iterable[Outcome], log: dict[str, dict[str, Any]]) -> Counter[str]:
    """Count by the client's results and by the daemon's lines."""
    count: Counter[str] = Counter()
    for outcome in outcomes:
        line = log.get(outcome.request_id, {})
        count[outcome.result] += 1
        count["waited"] += bool(line.get("gate_ms"))
        count["asked again"] += bool(line.get("asked_again"))
        count["went on"] += bool(line.get("resumed"))
    return count


def disagreements(outcomes: Iterable[Outcome], log: dict[str, dict[str, Any]]) -> list[str]:
    """Hold each client's result against the daemon's line of the same request."""
    faults = []
    for outcome in outcomes:
        line = log.get(outcome.request_id)
        if line is None:
            faults.append(f"{outcome.request_id}: the daemon has no line of it")
            continue
        if (outcome.result == "answered") != (line["code"] == "OK"):
            faults.append(f"{outcome.request_id}: client {outcome.result}, daemon {line['code']}")
        if outcome.result == "answered":
            faults += _figures(outcome, line)
    return faults


def _figures(outcome: Outcome, line: dict[str, Any]) -> list[str]:
    said, most = outcome.figures, STREAM_TOKENS if outcome.kind == STREAM else PLAIN_TOKENS
    faults = [
        f"{outcome.request_id}: {name} is {said.get(name)} for the client, {line.get(name)} in the log"
        for name in ("completion_tokens", "prompt_tokens", "finish_reason")
        if said.get(name) != line.get(name)
    ]
    if said["completion_tokens"] > most:
        faults.append(f"{outcome.request_id}: {said['completion_tokens']} tokens, {most} were allowed")
    return faults


def engine_disagrees(answered: int, log: str) -> list[str]:
    """Hold the answers against the engine's own log: each has at least one asking that the engine finished.

    There are more, since loading a model is an asking too, and so is each part of an answer that was cut.
    """
    finished = len(re.findall(r"msg=200 \|[^\n]*POST /api/chat", log))
    if finished < answered:
        return [f"the engine finished {finished} askings, and {answered} requests were answered"]
    return []


def bad_seams(outcomes: list[Outcome]) -> list[str]:
    """Look at each place where a stream went on: is a word repeated or cut there?"""
    whole = [outcome.text for outcome in outcomes if not outcome.figures.get("resumed")]
    words = {word.lower() for text in whole for word in _WORD.findall(text)}
    doubles = {pair for text in whole for pair in _doubles(text)}
    faults = []
    for outcome in outcomes:
        for at in outcome.figures.get("resumed_at", ()):
            fault = _bad_seam(outcome.text, at, words, doubles)
            if fault:
                faults.append(f"{outcome.request_id}: {fault}")
    return faults


def _bad_seam(text: str, at: int, words: set[str], doubles: set[str]) -> str:
    shown = f"{text[max(0, at - 30) : at]!r} + {text[at : at + 30]!r}"
    across = next((m for m in _WORD.finditer(text) if m.start() < at < m.end()), None)
    # A blank that is missing at the seam joins two words; a rare word that is whole has no such second half.
    joined = across is not None and text[at : across.end()].lower() in words
    if (
        across is not None
        and joined
        and across[0].lower() not in words
        and not _is_whole(across[0], text, at)
    ):
        return f"the word {across[0]!r} across the seam is no word of any uncut answer: {shown}"
    before, after = _WORD.findall(text[:at]), _WORD.findall(text[at:])
    twice = across is None and before and after and before[-1].lower() == after[0].lower()
    if twice and before[-1].lower() not in doubles:
        return f"the word {after[0]!r} is written twice: {shown}"
    for size in (40, 20, 12):
        tail = text[max(0, at - size) : at]
        if len(tail) == size and text[at:].startswith(tail):
            return f"{size} characters are written twice: {shown}"
    return ""


def _is_whole(word: str, text: str, at: int) -> bool:
    """A word that the same answer writes elsewhere, away from the seam, is one."""
    elsewhere = text[: max(0, at - len(word))] + " " + text[at + len(word) :]
    return word.lower() in {each.lower() for each in _WORD.findall(elsewhere)}


def _doubles(text: str) -> set[str]:
    words = [word.lower() for word in _WORD.findall(text)]
    return {first for first, second in pairwise(words) if first == second}
