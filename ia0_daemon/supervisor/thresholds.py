"""The thresholds of ``[memory]`` in bytes, on this machine.

Owns the way from settings to bytes and where a level is left again. Never
compares a value with them (`judge.py` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ia0_daemon.settings.schema import Memory
from ia0_daemon.supervisor.samples import Host
from ia0_daemon.supervisor.verdicts import Measure

Beyond = Literal["soft", "hard"]
LEVELS: tuple[Beyond, ...] = ("hard", "soft")


@dataclass(frozen=True)
class Thresholds:
    """Each measure's thresholds; a measure that is off has none."""

    bytes_of: Mapping[tuple[Measure, Beyond], int]
    samples: Mapping[Beyond, int]
    """How many samples in a row must be beyond."""
    hysteresis_percent: int = 10

    def limit(self, measure: Measure, level: Beyond) -> int | None:
        """Where the level begins."""
        return self.bytes_of.get((measure, level))

    def way_back(self, measure: Measure, level: Beyond) -> int:
        """Where the level is left again: below its beginning, or above it where little is bad."""
        limit = self.bytes_of[measure, level]
        band = limit * self.hysteresis_percent // 100
        return limit + band if measure.low_is_bad else limit - band


def resolve(memory: Memory, host: Host) -> Thresholds:
    """The thresholds in bytes, percentages taken of the lower of the machine's memory and the limit."""
    found: dict[tuple[Measure, Beyond], int] = {}
    for measure in Measure:
        for level in LEVELS:
            size = getattr(memory, f"{measure}_{level}").of(host.capacity_bytes)
            if size is not None:
                found[measure, level] = size
    samples: dict[Beyond, int] = {"soft": memory.soft_samples, "hard": memory.hard_samples}
    return Thresholds(found, samples, memory.hysteresis_percent)
