"""What was measured, as types. Pure: a figure of several rounds is put together here.

one round's figures -> merge -> the row that is printed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean


@dataclass(frozen=True)
class Plain:
    """Answers as one object, of one peer with so many clients. Times in milliseconds."""

    per_s: float
    p50_ms: float
    p99_ms: float
    errors: int
    client_cores: float
    """How busy the load client was; near 1 it measures itself."""
    stub_cores: float


@dataclass(frozen=True)
class Streams:
    """Streams of one peer. Times in milliseconds."""

    chunks_per_s: float
    errors: int
    first_ms: tuple[float, ...] = field(repr=False)
    """From each request to its first chunk."""
    delays_ms: tuple[float, ...] = field(repr=False)
    """How old each chunk was when it arrived; of paced streams alone."""
    client_cores: float
    stub_cores: float


@dataclass(frozen=True)
class Memory:
    """Resident memory of all processes of a peer, in MB, before and after so many requests."""

    before_mb: float
    after_mb: float
    requests: int


def merge_plain(rounds: Sequence[Plain]) -> Plain:
    """The mean of the rounds; errors are added up."""
    return Plain(
        fmean(each.per_s for each in rounds),
        fmean(each.p50_ms for each in rounds),
        fmean(each.p99_ms for each in rounds),
        sum(each.errors for each in rounds),
        max(each.client_cores for each in rounds),
        max(each.stub_cores for each in rounds),
    )


def merge_streams(rounds: Sequence[Streams]) -> Streams:
    """The mean pace, and the times of all rounds together."""
    return Streams(
        fmean(each.chunks_per_s for each in rounds),
        sum(each.errors for each in rounds),
        tuple(value for each in rounds for value in each.first_ms),
        tuple(value for each in rounds for value in each.delays_ms),
        max(each.client_cores for each in rounds),
        max(each.stub_cores for each in rounds),
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent do not exceed; not a number where there is none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


@dataclass
class Results:
    """All rows of one run, by peer."""

    rounds: int
    seconds: float
    quick: bool
    route: str
    """The daemon's route that was measured."""
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """What could not be measured, and why."""
    start_s: dict[str, float] = field(default_factory=dict)
    plain: dict[int, dict[str, Plain]] = field(default_factory=dict)
    at_once: dict[int, dict[str, Streams]] = field(default_factory=dict)
    paced: dict[int, dict[str, Streams]] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
