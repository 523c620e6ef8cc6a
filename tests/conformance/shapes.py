"""The shapes of lines that many tests hold.

Owns which fields a line has. Never asks an engine.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
COUNTS = ("prompt_eval_count", "eval_count")
FIGURES = {*DURATIONS, *COUNTS}


def hold_line(line: dict[str, Any], model: str, payload: str) -> None:
    """A line before the last: these fields and no figures at all."""
    assert set(line) == {"model", "created_at", payload, "done"}, line
    assert line["model"] == model
    assert line["done"] is False
    datetime.fromisoformat(line["created_at"])


def hold_trailer(line: dict[str, Any], model: str, payload: str, *, context: bool) -> None:
    """The last line: done, its reason, every figure, and the context where there is to be one."""
    expected = {"model", "created_at", payload, "done", "done_reason", *FIGURES}
    assert set(line) == expected | ({"context"} if context else set()), sorted(line)
    assert line["model"] == model
    assert line["done"] is True
    assert line["done_reason"] in ("stop", "length")
    hold_figures(line)


def hold_figures(line: dict[str, Any]) -> None:
    """Figures are whole and positive, and the parts are within the total."""
    for name in FIGURES & set(line):
        assert isinstance(line[name], int), (name, line[name])
        assert line[name] > 0, f"a zero is left out, {name} is {line[name]}"
    parts = sum(line[name] for name in DURATIONS[1:])
    assert parts <= line["total_duration"] * 1.05, line
    # Nanoseconds: no answer takes less than 10 microseconds, nor more than an hour.
    assert 10_000 < line["total_duration"] < 3600 * 10**9
