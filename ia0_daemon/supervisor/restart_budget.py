"""How often the engine may be restarted: cooldown with back-off, at most N in M minutes, then FAILED.

Pure: the past restarts and the time go in, an answer comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often is allowed. Times in seconds."""

    max_restarts: int
    window_s: float
    cooldown_s: float
    max_cooldown_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left at one moment."""

    used: int
    left: int
    cooldown_left_s: float

    @property
    def is_spent(self) -> bool:
        """Whether no restart is left in the window."""
        return self.left == 0


def standing(restarts: Sequence[float], now: float, allowance: Allowance) -> Standing:
    """Judge the times of past restarts (ascending, same clock as `now`).

    Each restart within the window doubles the time that must pass before the next.
    """
    recent = [at for at in restarts if now - at < allowance.window_s]
    used = len(recent)
    if not recent:
        return Standing(0, allowance.max_restarts, 0.0)
    cooldown_s = min(allowance.cooldown_s * 2 ** (used - 1), allowance.max_cooldown_s)
    left_s = max(0.0, recent[-1] + cooldown_s - now)
    return Standing(used, max(0, allowance.max_restarts - used), left_s)
