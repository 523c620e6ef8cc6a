"""Small things that several answers share: times, and the figures of an answer.

Owns how Ollama writes times (RFC 3339 with nanoseconds) and durations
(nanoseconds), and that figures of zero are left out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# What Ollama shows for a model that never expires: the far end of Go's durations.
_NEVER = "2318-01-01T00:00:00Z"


def timestamp(seconds: float | None = None) -> str:
    """A time of the epoch (now without one) as RFC 3339 in UTC."""
    nanoseconds = time.time_ns() if seconds is None else None
    moment = time.time() if seconds is None else seconds
    if moment == float("inf"):
        return _NEVER
    fraction = nanoseconds % 10**9 if nanoseconds is not None else int(moment % 1 * 10**9)
    return f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


class Stopwatch:
    """When a request came and when its model was there."""

    def __init__(self) -> None:
        self._start = time.monotonic_ns()
        self._loaded = self._start

    def loaded(self) -> None:
        """The model is there."""
        self._loaded = time.monotonic_ns()

    def durations(self) -> dict[str, int]:
        """``total_duration`` and ``load_duration``."""
        return {
            "total_duration": time.monotonic_ns() - self._start,
            "load_duration": self._loaded - self._start,
        }


def trailer(stopwatch: Stopwatch, metrics: Mapping[str, int]) -> dict[str, Any]:
    """The figures of a last line; zeros are left out."""
    figures = {**stopwatch.durations(), **metrics}
    return {key: value for key, value in figures.items() if value}
