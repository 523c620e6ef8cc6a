"""How fast a model gives its slots back, so that a refused caller is told when to come again.

Owns the measured mean. Pure: times are given. It measures how long a slot is
held and not how long it lies between two that come back, since the latter would
take a quiet night for a slow model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# What the newest slot weighs in the mean: about the last ten count.
NEWEST = 0.2
# Retry-After is told within these bounds, in seconds; before anything is measured, the least.
LEAST_S, MOST_S = 1, 600


@dataclass(slots=True)
class ServiceRate:
    """The exponentially weighted mean of the seconds that a slot is held."""

    held_s: float | None = None

    def note(self, held_s: float) -> None:
        """Count a slot that was given back."""
        self.held_s = held_s if self.held_s is None else self.held_s + NEWEST * (held_s - self.held_s)

    def per_second(self, slots: int) -> float | None:
        """Give how many of so many busy slots come back a second; none before one was measured."""
        return slots / self.held_s if self.held_s else None

    def retry_after_s(self, waiting: int, slots: int) -> int:
        """Give the seconds until all who wait now, and one more, probably have a slot."""
        rate = self.per_second(slots)
        if rate is None:
            return LEAST_S
        return round(min(MOST_S, max(LEAST_S, math.ceil((waiting + 1) / rate))))
