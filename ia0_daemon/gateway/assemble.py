"""The gateway put together from settings: its parts at the start, and what a reload makes anew.

Owns which part is made from which setting. Starts nothing, and never answers a request.

    settings, shared store -> Service;   settings, what is in force -> Live
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.engine.client import EngineClient
from ia0_daemon.engine.control import EngineControl
from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.engine.wire import Wire
from ia0_daemon.gate import Gate
from ia0_daemon.gateway.answer_cache import AnswerCache
from ia0_daemon.gateway.answer_store import AnswerStore
from ia0_daemon.gateway.language import LanguageDetector
from ia0_daemon.gateway.limits import Limiter
from ia0_daemon.gateway.metrics import Metrics
from ia0_daemon.gateway.service import Live, Service
from ia0_daemon.settings import engine_address

if TYPE_CHECKING:
    from ia0_daemon.gateway.shared_store import SharedStore
    from ia0_daemon.settings.schema import Settings


def service_of(settings: Settings, store: SharedStore | None) -> Service:
    """Make the gateway of a daemon, whose limits and kept answers are shared where there is a store."""
    service = Service(
        live_of(settings),
        Metrics(),
        Gate(settings.restart.max_waiting, settings.restart.max_wait_s),
        cache=AnswerCache(settings.cache, AnswerStore(store) if store is not None else None),
        limiter=Limiter(store, settings.auth.usage_path),
    )
    service.metrics.watch(service)
    service.metrics.watch_limits(service.limiter)
    service.apply(service.live)
    return service


def live_of(settings: Settings, old: Live | None = None) -> Live:
    """Make what follows from settings, with an engine of its own whose watch is not started."""
    address = engine_address.parse(settings.engine.host)
    control = EngineControl(address, settings.engine.control_timeout_s)
    watch = EngineWatch(control, settings.engine.poll_interval_s)
    wire = Wire(address, settings.engine.connect_timeout_s)
    client = EngineClient(wire, watch, settings.engine)
    return Live.of(settings, client, watch, _detector(settings, old))


def live_with_engine_of(old: Live, settings: Settings) -> Live:
    """Make what follows from settings, and keep the engine's client and watch."""
    return Live.of(settings, old.client, old.watch, _detector(settings, old))


def _detector(settings: Settings, old: Live | None) -> LanguageDetector | None:
    """Give what tells languages apart, where a model is for one; it is memory that others do without."""
    if not any(model.languages for model in settings.models.values()):
        return None
    if old is not None and old.detector is not None and old.settings.routing == settings.routing:
        return old.detector
    return LanguageDetector(settings.routing.languages, settings.routing.certainty_percent)
