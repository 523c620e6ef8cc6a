"""The rows of the health routes and of `/metrics`, and the forms of their answers.

Owns what the documentation says of them. The answers are `gateway/health.py`'s.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from ia0_daemon.gateway import health
from ia0_daemon.gateway.operation import Operation

State = Literal["loaded", "available", "missing", "unknown"]


class Alive(msgspec.Struct, forbid_unknown_fields=True):
    """The process answers."""

    status: Literal["alive"]
    timestamp: str


class Ready(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a request would be answered."""

    status: Literal["ready", "draining", "not ready"]
    """`draining`: it would wait for a restart first."""
    reasons: list[str]
    """Why not, in sentences."""
    timestamp: str


class EngineHealth(msgspec.Struct, forbid_unknown_fields=True):
    """What was last seen of the engine."""

    host: str
    reachable: bool
    version: str
    error: str
    """Why it was not reachable."""
    checked_s_ago: float


class ModelHealth(msgspec.Struct, forbid_unknown_fields=True):
    """A model in short."""

    name: str
    tag: str
    """Its name in the engine."""
    state: State
    busy: int
    """Slots in which it writes."""
    waiting: int
    """Requests that wait for one."""
    breaker: str
    """`open` while it is passed over, for it failed too often."""


class StoreHealth(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the shared store answers."""

    up: bool
    error: str | None


class UsageHealth(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the tokens of a day are kept over a restart of the daemon."""

    kept: bool
    error: str | None


class MemoryHealth(msgspec.Struct, forbid_unknown_fields=True):
    """Memory of the daemon and of the host."""

    daemon_rss_bytes: int
    host_total_bytes: int
    host_available_bytes: int


class Health(msgspec.Struct, forbid_unknown_fields=True):
    """How the daemon is, with all that it knows."""

    status: Literal["ok", "degraded", "draining", "unavailable"]
    reasons: list[str]
    """What is wrong, in sentences."""
    version: str
    uptime_s: float
    in_flight: int
    """Answers under way."""
    waiting: int
    """Requests that wait for a restart of the engine."""
    supervisor: dict[str, Any]
    """The supervisor's own word."""
    engine: EngineHealth
    models: list[ModelHealth]
    memory: MemoryHealth
    timestamp: str
    shared_store: StoreHealth | UnsetType = UNSET
    """Where limits and kept answers are shared; absent where no store is configured."""
    usage: UsageHealth | UnsetType = UNSET
    """Absent where no key has a limit of a day."""


OPERATIONS = (
    Operation(
        method="GET",
        path="/health",
        handle=health.health,
        summary="Tell how the daemon, the engine, each model and the memory are.",
        tag="Health",
        gives=Health,
        statuses=(200, 503),
        is_open=True,
    ),
    Operation(
        method="GET",
        path="/health/live",
        handle=health.live,
        summary="Answer as long as the process does.",
        tag="Health",
        gives=Alive,
        is_open=True,
    ),
    Operation(
        method="GET",
        path="/health/ready",
        handle=health.ready,
        summary="Tell whether a request would be answered now.",
        tag="Health",
        gives=Ready,
        statuses=(200, 503),
        is_open=True,
    ),
    Operation(
        method="GET",
        path="/metrics",
        handle=health.metrics,
        summary="Give the figures as Prometheus reads them.",
        tag="Health",
        description="On the health listener it needs no key.",
        gives={"type": "string"},
        gives_type=CONTENT_TYPE_PLAIN_0_0_4.partition(";")[0],
    ),
)
