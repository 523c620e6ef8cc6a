"""Whether the engine is dead or stuck, apart from its memory.

Pure: what was seen goes in, an order for a restart comes out, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ia0_daemon.supervisor.remedy import Order


@dataclass(frozen=True, slots=True)
class Signs:
    """What one tick saw of the engine. Times in seconds."""

    process_runs: bool
    answers: bool
    """Whether it answered when it was last asked for its version."""
    unanswered_for_s: float
    """Since when it has not answered; 0 while it does."""
    silent_for_s: Mapping[str, float]
    """For each model that is writing an answer: since when no token came."""


def ailing(signs: Signs, unanswered_s: float, stall_s: float) -> Order | None:
    """Give the order that the signs call for.

    Nothing is drained: what is dead or stuck will not finish its answers, and
    they go on after the restart.
    """
    if not signs.process_runs:
        return Order("the engine's process has ended", "crash", drain=False)
    stalled = {tag: seconds for tag, seconds in signs.silent_for_s.items() if seconds >= stall_s}
    if stalled:
        tag, seconds = max(stalled.items(), key=lambda item: item[1])
        return Order(f"no token came from {tag} for {seconds:.0f} s in mid-answer", "stall", drain=False)
    writes = bool(signs.silent_for_s)  # an engine that writes tokens lives, whatever its version route does
    if not signs.answers and signs.unanswered_for_s >= unanswered_s and not writes:
        reason = f"the engine has not answered /api/version for {signs.unanswered_for_s:.0f} s"
        return Order(reason, "stall", drain=False)
    return None
