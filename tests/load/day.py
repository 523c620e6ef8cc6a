"""How many callers there are at each hour of a day, as a share of the most that there are.

Owns the curve. Pure.
"""

from __future__ import annotations

from itertools import pairwise

# Hours and shares: a quiet night, a peak before noon and one behind it, as offices have them.
CURVE = ((0, 0.1), (6, 0.15), (9, 0.8), (11, 1.0), (13, 0.6), (15, 1.0), (18, 0.5), (22, 0.2), (24, 0.1))
HOURS = 24


def share(hour: float) -> float:
    """Give the share of callers at an hour, on straight lines between the points."""
    for (start, low), (end, high) in pairwise(CURVE):
        if start <= hour <= end:
            return low + (high - low) * (hour - start) / (end - start)
    return CURVE[-1][1]


def callers(most: int, run_s: float, at_s: float) -> int:
    """Give how many callers there are `at_s` seconds into a day that takes `run_s`; one at least."""
    return max(1, round(most * share(HOURS * min(1.0, at_s / run_s))))
