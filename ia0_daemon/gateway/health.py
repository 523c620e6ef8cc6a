"""How the daemon is: alive, ready, and what it knows of engine, models and memory.

Owns the answers of the health routes and of `/metrics`, which the main listener
and the small one share; their rows are in `routes/health.py`. Never waits for the
engine: it tells what `EngineWatch` last saw.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil
from flask import Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from ia0_daemon import __version__
from ia0_daemon.clock import timestamp
from ia0_daemon.gateway.respond import encode

if TYPE_CHECKING:
    from ia0_daemon.gateway.limits import Limiter
    from ia0_daemon.gateway.operation import Visit
    from ia0_daemon.gateway.service import Live, Service
    from ia0_daemon.gateway.shared_store import StoreState
    from ia0_daemon.settings.schema import Model

# A picture of the engine older than this many polling intervals means that the polling itself is stuck.
STALE_AFTER_POLLS = 4


def live(_visit: Visit) -> Response:
    """Answer `GET /health/live`."""
    return _json({"status": "alive", "timestamp": timestamp()})


def ready(visit: Visit) -> Response:
    """Answer `GET /health/ready`."""
    reasons = not_ready_because(visit.service)
    word = "not ready" if reasons else "draining" if visit.service.gate.closing else "ready"
    state = {"status": word, "reasons": reasons, "timestamp": timestamp()}
    return _json(state, 503 if reasons else 200)


def health(visit: Visit) -> Response:
    """Answer `GET /health`."""
    reasons = not_ready_because(visit.service)
    return _json(_health(visit.service, reasons), 503 if reasons else 200)


def metrics(visit: Visit) -> Response:
    """Answer `GET /metrics`."""
    return Response(visit.service.metrics.render(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def not_ready_because(service: Service) -> list[str]:
    """Give the reasons why requests would fail now; none means ready."""
    live = service.live
    state = live.watch.state
    if service.stopping:
        return ["the daemon is stopping"]
    closing = service.gate.closing
    if closing is not None:
        # While a restart is under way requests wait, and are answered: that is ready enough for a balancer.
        return [] if closing.may_wait else [closing.reason]
    if not state.reachable:
        return [f"the engine does not answer: {state.error}"]
    age_s = time.monotonic() - state.checked_at
    if age_s > STALE_AFTER_POLLS * (
        live.settings.engine.poll_interval_s + live.settings.engine.control_timeout_s
    ):
        return [f"the engine was last asked {age_s:.0f} s ago"]
    if not any(live.watch.is_present(model.tag) for model in live.catalog.models):
        tags = ", ".join(model.tag for model in live.catalog.models)
        return [f"the engine has none of the configured models: {tags}"]
    return []


def model_state(live: Live, tag: str) -> str:
    """Say what the engine has of a model: loaded, available, missing; unknown while it does not answer."""
    if not live.watch.state.reachable:
        return "unknown"
    if not live.watch.is_present(tag):
        return "missing"
    return "loaded" if live.watch.is_loaded(tag) else "available"


def counting(limiter: Limiter) -> dict[str, Any]:
    """Say whether what limits are counted with is there; what is not used is not mentioned."""
    shared, usage = limiter.shared_state, limiter.usage_state
    said: dict[str, Any] = {}
    if shared is not None:
        said["shared_store"] = {"up": shared.is_up, "error": shared.error}
    if usage is not None:
        said["usage"] = {"kept": usage.is_kept, "error": usage.error}
    return said


def troubles(service: Service) -> list[str]:
    """Give what is wrong though requests are answered, or why it will not mend itself."""
    live, models = service.live, service.live.catalog.models
    failed = service.supervisor_status().get("failed_because")
    found = [f"restarts were given up (FAILED), `ia0 restart` tries again: {failed}"] if failed else []
    shared = service.limiter.shared_state
    if shared is not None and not shared.is_up:
        found.append(_alone(shared))
    broken = [model.name for model in models if service.breakers.state(model.name) == "open"]
    found += [f"{name} is not asked, its breaker is open: it failed too often" for name in broken]
    missing = [model.tag for model in models if model_state(live, model.tag) == "missing"]
    # Where none is there the host is not ready, which says so already.
    if missing and len(missing) < len(models):
        found.append(f"the engine does not have: {', '.join(missing)}")
    return found


def _alone(shared: StoreState) -> str:
    """Say what this daemon has for itself alone; a store that is full still gives kept answers."""
    what = "limits are" if shared.gives else "limits and kept answers are"
    return f"the shared store is away, so {what} this daemon's own: {shared.error}"


def _health(service: Service, reasons: list[str]) -> dict[str, Any]:
    live = service.live
    wrong = troubles(service)
    return {
        "status": _word(service, reasons, wrong),
        "reasons": reasons + wrong,
        "version": __version__,
        "uptime_s": round(time.monotonic() - service.started, 1),
        "in_flight": service.admission.in_flight,
        "waiting": service.gate.waiting,
        "supervisor": service.supervisor_status(),
        **counting(service.limiter),
        "engine": _engine(live),
        "models": [_model(service, model) for model in live.catalog.models],
        "memory": _memory(),
        "timestamp": timestamp(),
    }


def _model(service: Service, model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "tag": model.tag,
        "state": model_state(service.live, model.tag),
        "busy": service.slots.busy(model.name),
        "waiting": service.slots.waiting(model.name),
        "breaker": service.breakers.state(model.name),
    }


def _word(service: Service, reasons: list[str], wrong: list[str]) -> str:
    if reasons:
        return "unavailable"
    if service.gate.closing is not None:
        return "draining"
    return "degraded" if wrong else "ok"


def _engine(live: Live) -> dict[str, Any]:
    state = live.watch.state
    return {
        "host": live.settings.engine.host,
        "reachable": state.reachable,
        "version": state.version,
        "error": state.error,
        "checked_s_ago": round(time.monotonic() - state.checked_at, 1),
    }


def _memory() -> dict[str, int]:
    host = psutil.virtual_memory()
    return {
        "daemon_rss_bytes": psutil.Process().memory_info().rss,
        "host_total_bytes": host.total,
        "host_available_bytes": host.available,
    }


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(encode(body), status, mimetype="application/json", headers={"Cache-Control": "no-store"})
