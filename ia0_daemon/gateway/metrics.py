"""What Prometheus reads: requests, times, tokens, and the state of the engine.

Owns the names, help texts, labels and buckets. Never decides what is counted
when: `record.py` does that for requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from ia0_daemon import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

    from ia0_daemon.gateway.limits import Limiter
    from ia0_daemon.gateway.service import Service

# Whole answers take from milliseconds (an error) to minutes (2,000 tokens on a busy host).
LATENCY_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
FIRST_TOKEN_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
# The daemon's own part of a request: a millisecond is the aim, 50 is trouble.
DAEMON_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
QUEUE_S = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 60)
TOKENS_PER_S = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300)

Series = TypeVar("Series", bound=MetricWrapperBase)


class Metrics:
    """The daemon's metrics, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._series: dict[tuple[object, ...], MetricWrapperBase] = {}
        self.requests = Counter(
            "ia0_requests",
            "Requests answered, by route, model and code.",
            ("route", "model", "code"),
            registry=self.registry,
        )
        self.latency = Histogram(
            "ia0_request_duration_seconds",
            "From the request's first byte to the answer's last.",
            ("route", "model"),
            buckets=LATENCY_S,
            registry=self.registry,
        )
        self.first_token = Histogram(
            "ia0_time_to_first_token_seconds",
            "From the request to its first token, loading included.",
            ("model",),
            buckets=FIRST_TOKEN_S,
            registry=self.registry,
        )
        self.tokens_per_s = Histogram(
            "ia0_tokens_per_second",
            "Pace of an answer's tokens as the engine measures it.",
            ("model",),
            buckets=TOKENS_PER_S,
            registry=self.registry,
        )
        self.daemon = Histogram(
            "ia0_daemon_seconds",
            "The daemon's own part of a request: neither the engine's nor the caller's.",
            ("route",),
            buckets=DAEMON_S,
            registry=self.registry,
        )
        self.tokens = Counter(
            "ia0_tokens",
            "Tokens by model and kind (prompt, completion).",
            ("model", "kind"),
            registry=self.registry,
        )
        self.kept = Counter(
            "ia0_requests_kept",
            "Requests that outlived a cut of the engine, by how (asked_again, went_on).",
            ("how",),
            registry=self.registry,
        )
        self.queue = Histogram(
            "ia0_queue_seconds",
            "Time in a model's queue, of requests that got a slot.",
            ("model",),
            buckets=QUEUE_S,
            registry=self.registry,
        )
        self.fallbacks = Counter(
            "ia0_fallbacks",
            "Times that a model was passed over for the next one, by model and code.",
            ("model", "code"),
            registry=self.registry,
        )
        self.model_reloads = Counter(
            "ia0_model_reloads",
            "Requests during which the engine loaded a model that was loaded already.",
            ("model",),
            registry=self.registry,
        )
        self.reloads = Counter(
            "ia0_config_reloads",
            "Reloads of the configuration, by result (applied, refused).",
            ("result",),
            registry=self.registry,
        )
        self.rate_limited = Counter(
            "ia0_rate_limited",
            "Requests that were refused because a limit of their key is used up, by limit.",
            ("limit",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def watch(self, service: Service) -> None:
        """Read the gauges from the service whenever Prometheus asks."""
        self.registry.register(_State(service))

    def watch_limits(self, limiter: Limiter) -> None:
        """Read the gauges of the limits from the limiter whenever Prometheus asks."""
        self.registry.register(_Limits(limiter))

    def series(self, metric: Series, *labels: str) -> Series:
        """Give the series of a metric with these values of its labels: the library's own way costs 1 us."""
        key = (metric, *labels)
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = metric.labels(*labels)
        return cast("Series", found)

    def render(self) -> bytes:
        """Give all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _State(Collector):
    """Gauges that are looked up when they are asked for."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand; the names are this module's own and unique."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Look the gauges up."""
        live = self._service.live
        state = live.watch.state
        info = InfoMetricFamily("ia0_build", "The daemon's version.")
        info.add_metric((), {"version": __version__})
        yield info
        yield _gauge("ia0_in_flight", "Answers under way.", self._service.admission.in_flight)
        yield _gauge("ia0_engine_up", "1 if the engine answered when it was last asked.", state.reachable)
        names = [(model.name, model.tag) for model in live.catalog.models]
        yield _by_model("ia0_model_present", "1 if the engine has the model.", names, live.watch.is_present)
        yield from self._queues([model.name for model in live.catalog.models])
        yield from self._kept()
        yield _by_model(
            "ia0_model_loaded", "1 if the engine has the model loaded.", names, live.watch.is_loaded
        )

    def _queues(self, models: list[str]) -> Iterable[Metric]:
        slots, breakers = self._service.slots, self._service.breakers
        same = [(name, name) for name in models]
        yield _by_model("ia0_queue_waiting", "Requests that wait for a slot.", same, slots.waiting)
        yield _by_model("ia0_slots_busy", "Slots in use.", same, slots.busy)
        yield _by_model(
            "ia0_breaker_open",
            "1 while the model's breaker is open or half open.",
            same,
            lambda name: breakers.state(name) != "closed",
        )
        refused = CounterMetricFamily(
            "ia0_queue_refused", "Requests that got no slot.", labels=("model", "reason")
        )
        for name in models:
            totals = slots.totals(name)
            refused.add_metric((name, "full"), totals.refused)
            refused.add_metric((name, "late"), totals.timed_out)
        yield refused

    def _kept(self) -> Iterable[Metric]:
        stats = self._service.cache.stats()
        yield _gauge("ia0_cache_bytes", "What kept answers hold in memory.", stats.bytes)
        yield _gauge("ia0_cache_entries", "How many answers are kept in memory.", stats.entries)
        asked = CounterMetricFamily(
            "ia0_cache_requests", "Requests whose answer may be kept.", labels=("result",)
        )
        shared = self._service.flights.shared
        asked.add_metric(("hit",), stats.hits)
        asked.add_metric(("shared",), shared)
        asked.add_metric(("miss",), max(0, stats.misses - shared))
        yield asked


class _Limits(Collector):
    """Whether what limits are counted with is there; a store or a database that is not used has no gauge."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand; the names are this module's own and unique."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Look the gauges up."""
        shared, usage = self._limiter.shared_state, self._limiter.usage_state
        if shared is not None:
            yield _gauge("ia0_shared_store_up", "1 if the shared store answers.", shared.is_up)
        if usage is not None:
            yield _gauge(
                "ia0_usage_kept", "1 if the tokens of the day are kept in their database.", usage.is_kept
            )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _by_model(name: str, text: str, names: list[tuple[str, str]], ask: Callable[[str], float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=("model",))
    for public, tag in names:
        family.add_metric((public,), float(ask(tag)))
    return family
