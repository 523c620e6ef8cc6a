"""What a judgement and a decision are, and what a decision depends on.

Owns their shapes and their words. Never judges (`judge.py`) or decides (`decide.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ia0_daemon.supervisor.samples import Identity

Level = Literal["ok", "soft", "hard"]


class Measure(StrEnum):
    """What is held against a threshold."""

    CHILD_GROWTH = "child_growth"
    ENGINE_GROWTH = "engine_growth"
    ENGINE_HELD = "engine_held"
    AVAILABLE = "available"

    @property
    def low_is_bad(self) -> bool:
        """Available memory is the one of which there should be much."""
        return self is Measure.AVAILABLE

    @property
    def is_growth(self) -> bool:
        """Growth is what a restart gives back for certain."""
        return self in {Measure.CHILD_GROWTH, Measure.ENGINE_GROWTH}


@dataclass(frozen=True)
class Subject:
    """One measure of one process, or of the whole."""

    measure: Measure
    owner: Identity | None = None
    """The child, or the engine's parent process; None for the host."""
    tag: str = ""
    """The child's model."""


@dataclass(frozen=True)
class Reason:
    """One measure that is beyond a threshold."""

    level: Literal["soft", "hard"]
    subject: Subject
    value_bytes: int
    threshold_bytes: int
    lacking_bytes: int
    """What would have to come back until the level is left."""
    text: str
    """A sentence for the log, the event and the person on call."""


@dataclass(frozen=True)
class Verdict:
    """The judgement of the newest sample in the light of those before it."""

    level: Level = "ok"
    reasons: tuple[Reason, ...] = ()
    """The worst first."""
    recoverable_bytes: int | None = 0
    """What a restart would give back: the growth over the baselines; None where one is only assumed."""


class Why(StrEnum):
    """The one ground of an action, for events that are written once a change."""

    OK = "ok"
    SOFT = "soft"
    SOFT_IDLE = "soft_idle"
    HARD = "hard"
    REMEDY_RUNNING = "remedy_running"
    FAILED = "failed"
    DRAINED = "drained"
    OBSERVE_ONLY = "observe_only"
    PULLING = "pulling"
    COOLDOWN = "cooldown"
    BUDGET = "budget"
    FUTILE = "futile"


@dataclass(frozen=True)
class State:
    """What a decision depends on beside the verdict."""

    remedy_running: bool = False
    failed: bool = False
    """Restarts have been given up until an operator or a long calm."""
    drained: bool = False
    """An operator has closed the gate."""
    observe_only: bool = False
    """The controller may not restart this engine."""
    pulling: bool = False
    cooldown_until: float = 0.0
    """On the clock of ``now``; in the past where there is none."""
    budget_left: int = 1
    """Restarts that are left in the window."""
    idle: bool = False
    """No request has been under way for `memory.soft_restart_idle_s`; False where that is off."""


@dataclass(frozen=True)
class Action:
    """What to do now: nothing, a restart, or a restart that is due and held back."""

    kind: Literal["none", "restart", "refuse"]
    why: str
    """A sentence."""
    code: Why
    """Its ground in one word; an event is due when (kind, code) changes."""
