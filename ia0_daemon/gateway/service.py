"""What the gateway works with: the settings in force and everything made from them.

Owns the one reference that a reload replaces. A request takes it once, at its
start, and goes all its way with that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ia0_daemon.gateway.admission import Admission
from ia0_daemon.gateway.catalog import Catalog
from ia0_daemon.keys import KeyRing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ia0_daemon.engine.client import EngineClient
    from ia0_daemon.engine.watch import EngineWatch
    from ia0_daemon.gate import Gate
    from ia0_daemon.gateway.metrics import Metrics
    from ia0_daemon.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Live:
    """The settings in force, with what follows from them. Immutable."""

    settings: Settings
    catalog: Catalog
    keys: KeyRing
    client: EngineClient
    watch: EngineWatch

    @classmethod
    def of(cls, settings: Settings, client: EngineClient, watch: EngineWatch) -> Live:
        """Make it from settings and an engine."""
        return cls(settings, Catalog(settings), KeyRing(settings.auth.keys), client, watch)


@dataclass(slots=True)
class Service:
    """The gateway's own state, shared by all requests of a daemon."""

    live: Live
    metrics: Metrics
    gate: Gate
    admission: Admission = field(default_factory=Admission)
    is_hopeful: Callable[[], bool] = bool
    """Whether an engine that is not there now will probably be there again soon; the supervisor's word."""
    supervisor_status: Callable[[], dict[str, object]] = dict
    """How the supervisor is."""
    nudge: Callable[[], object] = bool
    """Have the supervisor look now."""
    started: float = field(default_factory=time.monotonic)
    stopping: bool = False
    """The daemon was told to end: what is under way is finished, readiness says no."""
