"""What the gateway works with: the settings in force and everything made from them.

Owns the one reference that a reload replaces. A request takes it once, at its
start, and goes all its way with that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ia0_daemon.gateway.admission import Admission
from ia0_daemon.gateway.answer_cache import AnswerCache
from ia0_daemon.gateway.breaker import Breakers
from ia0_daemon.gateway.catalog import Catalog
from ia0_daemon.gateway.flights import Flights
from ia0_daemon.gateway.limits import Limiter
from ia0_daemon.gateway.prompt_rate import PromptRates
from ia0_daemon.gateway.pulls import Pulls
from ia0_daemon.gateway.routing import Router
from ia0_daemon.gateway.slots import Slots
from ia0_daemon.keys import KeyRing
from ia0_daemon.settings.schema import Cache, Routing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ia0_daemon.engine.client import EngineClient
    from ia0_daemon.engine.watch import EngineWatch
    from ia0_daemon.gate import Gate
    from ia0_daemon.gateway.language import LanguageDetector
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
    router: Router
    detector: LanguageDetector | None

    @classmethod
    def of(
        cls,
        settings: Settings,
        client: EngineClient,
        watch: EngineWatch,
        detector: LanguageDetector | None = None,
    ) -> Live:
        """Make it from settings and an engine; `detector` where a model is for a language."""
        catalog = Catalog(settings)
        ring = KeyRing(settings.auth.keys)
        router = Router(catalog, detector.detect if detector is not None else None)
        return cls(settings, catalog, ring, client, watch, router, detector)


@dataclass(slots=True)
class Service:
    """The gateway's own state, shared by all requests of a daemon."""

    live: Live
    metrics: Metrics
    gate: Gate
    admission: Admission = field(default_factory=Admission)
    slots: Slots = field(default_factory=Slots)
    breakers: Breakers = field(default_factory=lambda: _breakers(Routing()))
    flights: Flights = field(default_factory=Flights)
    cache: AnswerCache = field(default_factory=lambda: AnswerCache(Cache(), None))
    prompt_rates: PromptRates = field(default_factory=PromptRates)
    pulls: Pulls = field(default_factory=Pulls)
    """Models on their way to the engine by this daemon's routes; no restart is begun meanwhile."""
    limiter: Limiter = field(default_factory=lambda: Limiter(None, ""))
    is_hopeful: Callable[[], bool] = bool
    """Whether an engine that is not there now will probably be there again soon; the supervisor's word."""
    supervisor_status: Callable[[], dict[str, object]] = dict
    """How the supervisor is."""
    nudge: Callable[[], object] = bool
    """Have the supervisor look now."""
    started: float = field(default_factory=time.monotonic)
    stopping: bool = False
    """The daemon was told to end: what is under way is finished, readiness says no."""

    def apply(self, live: Live) -> None:
        """Go on with other settings; requests under way keep those that they began with."""
        settings = live.settings
        self.live = live
        self.breakers.limit(settings.routing.breaker_failures, settings.routing.breaker_open_s)
        self.slots.limit(
            {model.name: model.parallel or settings.engine.parallel for model in live.catalog.models}
        )
        self.cache.configure(settings.cache)


def _breakers(routing: Routing) -> Breakers:
    return Breakers(routing.breaker_failures, routing.breaker_open_s)
