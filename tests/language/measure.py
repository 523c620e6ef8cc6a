"""Measures one candidate, in a process of its own: memory, time, rightness.

before -> make it and use it -> after; ask for every prompt, and for one that is very long
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import psutil

from tests.language.candidates import CANDIDATES, Candidate
from tests.language.corpus import prompts
from tests.language.score import Detect, Score

ROUNDS = 5
LONG_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a candidate. Sizes in bytes, times in seconds."""

    score: Score
    memory: int
    """Resident memory that it added, in use."""
    call_s: float
    """Mean over the corpus, median of the rounds."""
    long_call_s: float
    """For a prompt of `LONG_CHARS` characters."""
    installed: int
    version: str


def is_installed(candidate: Candidate) -> bool:
    """Say whether everything that it needs is there."""
    try:
        for name in candidate.distributions:
            distribution(name)
    except PackageNotFoundError:
        return False
    return True


def measure(name: str) -> Measured:
    """Make a candidate and measure it; the process must be a fresh one."""
    candidate = CANDIDATES[name]
    # The daemon has it loaded, so a library that needs it adds nothing by it.
    import requests  # noqa: F401

    process = psutil.Process()
    before = process.memory_info().rss
    detect = candidate.make()
    score = Score.of(detect, prompts())
    memory = process.memory_info().rss - before
    return Measured(
        score=score,
        memory=memory,
        call_s=statistics.median(_round_s(detect) for _ in range(ROUNDS)),
        long_call_s=_long_call_s(detect),
        installed=sum(map(_size, candidate.distributions)),
        version=distribution(candidate.distributions[0]).version,
    )


def _round_s(detect: Detect) -> float:
    texts = [prompt.text for prompt in prompts()]
    began = time.perf_counter()
    for text in texts:
        detect(text)
    return (time.perf_counter() - began) / len(texts)


def _long_call_s(detect: Detect) -> float:
    paragraph = next(p.text for p in prompts() if p.kind == "long") + "\n"
    text = (paragraph * (LONG_CHARS // len(paragraph) + 1))[:LONG_CHARS]
    began = time.perf_counter()
    for _ in range(ROUNDS):
        detect(text)
    return (time.perf_counter() - began) / ROUNDS


def _size(name: str) -> int:
    paths = [Path(str(file.locate())) for file in distribution(name).files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())
