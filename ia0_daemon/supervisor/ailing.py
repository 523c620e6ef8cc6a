"""Whether the engine is dead or stuck, apart from its memory.

Pure: what was seen goes in, an order for a restart comes out, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ia0_daemon.engine.progress import Silence
from ia0_daemon.supervisor.remedy import Order


@dataclass(frozen=True, slots=True)
class Signs:
    """What one tick saw of the engine. Times in monotonic seconds."""

    now: float
    process_runs: bool
    answers: bool
    """Whether it answered when it was last asked for its version."""
    unanswered_for_s: float
    """Since when it has not answered; 0 while it does."""
    silences: Mapping[str, Silence]
    """The models that something is expected of."""
    is_deaf: Callable[[str], bool]
    """Whether a model's process does not even answer a question for its health."""
    stuck: str = ""
    """What a probe has found; empty where it found nothing."""


def ailing(signs: Signs, unanswered_s: float, stall_s: float) -> Order | None:
    """Give the order that the signs call for.

    Nothing is drained: what is dead or stuck will not finish its answers, and
    they go on after the restart.
    """
    if not signs.process_runs:
        return Order("the engine's process has ended", "crash", drain=False)
    for tag, silence in signs.silences.items():
        silent_s = signs.now - silence.since
        if silent_s < stall_s:
            continue
        if silence.writing:
            return Order(f"no token came from {tag} for {silent_s:.0f} s in mid-answer", "stall", drain=False)
        # Before the first token silence may be a long prompt, or loading: ask the process itself.
        if signs.is_deaf(tag):
            return Order(f"the process of {tag} does not answer for {silent_s:.0f} s", "stall", drain=False)
    if signs.stuck:
        return Order(signs.stuck, "stall", drain=False)
    heard = any(signs.now - silence.since < stall_s for silence in signs.silences.values() if silence.writing)
    if not signs.answers and signs.unanswered_for_s >= unanswered_s and not heard:
        reason = f"the engine has not answered /api/version for {signs.unanswered_for_s:.0f} s"
        return Order(reason, "stall", drain=False)
    return None
