"""What remains of a request: one JSON log line, and the metrics.

Owns the fields of the line. Called once, when the last byte is out.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ia0_daemon.gateway.call import OK, UNREAD

if TYPE_CHECKING:
    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.metrics import Metrics

log = logging.getLogger("ia0.request")

# Asked every few seconds by machines: their lines are for DEBUG.
QUIET_ROUTES = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})


def record(call: Call, metrics: Metrics) -> None:
    """Write the line and count the request."""
    elapsed_s = call.elapsed_s()
    daemon_s = max(0.0, elapsed_s - call.patience.waited_s - call.slot_s - call.gate_s - call.writing_s)
    _count(call, metrics, elapsed_s, daemon_s)
    level = logging.DEBUG if call.route in QUIET_ROUTES and call.code == OK else logging.INFO
    if log.isEnabledFor(level):
        log.log(level, "request", extra=_fields(call, elapsed_s, daemon_s))


def record_refusal(error: ServiceError, metrics: Metrics) -> None:
    """Write and count what the listener refused before it was a request: there is no route and no id."""
    metrics.series(metrics.requests, UNREAD, "", error.code).inc()
    log.info(
        "refused",
        extra={"event": "refused", "status": error.status, "code": error.code, "error": error.message},
    )


def _count(call: Call, metrics: Metrics, elapsed_s: float, daemon_s: float) -> None:
    metrics.series(metrics.requests, call.route, call.model, call.code).inc()
    metrics.series(metrics.latency, call.route, call.model).observe(elapsed_s)
    metrics.series(metrics.daemon, call.route).observe(daemon_s)
    _count_kept(call, metrics)
    if call.is_reload:
        metrics.series(metrics.model_reloads, call.model).inc()
    first_s = call.first_token_s()
    if first_s is not None:
        metrics.series(metrics.first_token, call.model).observe(first_s)
    if call.slot_s:
        metrics.series(metrics.queue, call.model).observe(call.slot_s)
    if not call.cached:  # else the engine has done nothing for it
        _count_tokens(call, metrics)


def _count_tokens(call: Call, metrics: Metrics) -> None:
    if call.prompt_tokens:
        metrics.series(metrics.tokens, call.model, "prompt").inc(call.prompt_tokens)
    if call.completion_tokens:
        metrics.series(metrics.tokens, call.model, "completion").inc(call.completion_tokens)
        if call.generation_s > 0 and not call.resumed:  # else the seconds are those of the last part alone
            metrics.series(metrics.tokens_per_s, call.model).observe(
                call.completion_tokens / call.generation_s
            )


def _count_kept(call: Call, metrics: Metrics) -> None:
    if call.code == OK and call.resumed:
        metrics.series(metrics.kept, "went_on").inc()
    elif call.code == OK and call.asked_again:
        metrics.series(metrics.kept, "asked_again").inc()


def _fields(call: Call, elapsed_s: float, daemon_s: float) -> dict[str, Any]:
    first_s = call.first_token_s()
    fields = {
        "event": "request",
        "request_id": call.request_id,
        "remote": call.remote,
        "method": call.method,
        "path": call.path,
        "route": call.route,
        "status": call.status,
        "code": call.code,
        "error": call.error,
        "key": call.key,
        "model": call.model,
        "requested_model": call.requested_model,
        "why_model": call.reason,
        "passed_over": call.passed_over or "",
        "cached": call.cached,
        "truncated": call.truncated or "",
        "context_full": call.context_full,
        "stream": call.stream,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "finish_reason": call.finish_reason,
        "ttft_ms": _ms(first_s) if first_s is not None else "",
        "prompt_eval_ms": _ms(call.reading_s) if call.reading_s and not call.cached else "",
        "queue_ms": _ms(call.slot_s) if call.slot_s else "",
        "gate_ms": _ms(call.gate_s) if call.gate_s else "",
        "reloaded_ms": _ms(call.load_s) if call.is_reload else "",
        "askings": call.askings if call.askings > 1 else "",
        "asked_again": call.asked_again or "",
        "resumed": call.resumed or "",
        "latency_ms": _ms(elapsed_s),
        "engine_ms": _ms(call.patience.waited_s),
        "daemon_ms": _ms(daemon_s),
        **call.texts,
    }
    return {name: value for name, value in fields.items() if value != "" and value is not False}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
