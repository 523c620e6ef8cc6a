"""What Prometheus reads of a sample.

Owns the names and labels of the memory's metrics; `docs/metrics.md` describes
them. Never takes a sample: a scrape shows the last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ia0_daemon.supervisor.baseline import Baselines
from ia0_daemon.supervisor.samples import EngineTree, Gpu, Host, Sample
from ia0_daemon.supervisor.sense import View


class MemoryMetrics(Collector):
    """Shows the last look whenever Prometheus asks."""

    def __init__(self, view: Callable[[], View | None], names: Callable[[], Mapping[str, str]]) -> None:
        """`names` gives the public names of the engine's tags."""
        self._view, self._names = view, names

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand; the names are this module's own and unique."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Give nothing before the first look."""
        view = self._view()
        return families(view.sample, view.baselines, self._names()) if view is not None else ()


def families(
    sample: Sample, baselines: Baselines, names: Mapping[str, str] | None = None
) -> Iterable[Metric]:
    """The gauges of one sample. `names` gives the public names of the engine's tags."""
    yield from _host(sample.host)
    if sample.engine is not None:
        yield from _engine(sample.engine, baselines, names or {})
    yield from _gpus(sample.gpus)
    yield from _disks(sample)
    yield _gauge("ia0_engine_pulling", "1 while a model is being pulled.", sample.pulling)


def _engine(engine: EngineTree, baselines: Baselines, names: Mapping[str, str]) -> Iterator[Metric]:
    held: Counter[str] = Counter()
    growth: Counter[str] = Counter()
    for child in engine.children:
        name = names.get(child.tag, child.tag)
        held[name] += child.held_bytes
        growth[name] += baselines.growth(child.identity, child.held_bytes) or 0
    yield _by_model("ia0_engine_held_bytes", "Memory that a model's process holds, in RAM and in swap.", held)
    yield _by_model("ia0_engine_growth_bytes", "What it holds more than after loading.", growth)
    yield _gauge("ia0_engine_total_held_bytes", "Memory that all its processes hold.", engine.held_bytes)
    total = baselines.engine_growth(engine)
    yield _gauge("ia0_engine_total_growth_bytes", "What they hold more than after loading.", total)


def _host(host: Host) -> Iterator[Metric]:
    yield _gauge("ia0_host_total_bytes", "The host's memory.", host.total_bytes)
    yield _gauge("ia0_host_available_bytes", "The host's available memory.", host.available_bytes)
    yield _gauge("ia0_host_swap_total_bytes", "The host's swap.", host.swap_total_bytes)
    yield _gauge("ia0_host_swap_used_bytes", "The host's used swap.", host.swap_used_bytes)
    if host.limit_bytes is not None and host.limit_used_bytes is not None:
        yield _gauge("ia0_limit_bytes", "The lowest memory limit around the engine.", host.limit_bytes)
        text = "What is used of that limit, file cache apart."
        yield _gauge("ia0_limit_used_bytes", text, host.limit_used_bytes)


def _gpus(gpus: tuple[Gpu, ...]) -> Iterator[Metric]:
    known = {
        "ia0_gpu_total_bytes": ("A card's memory.", [(gpu, gpu.total_bytes) for gpu in gpus]),
        "ia0_gpu_used_bytes": ("A card's used memory.", [(gpu, gpu.used_bytes) for gpu in gpus]),
        "ia0_gpu_utilization_percent": (
            "How busy a card is.",
            [(gpu, gpu.utilization_percent) for gpu in gpus if gpu.utilization_percent is not None],
        ),
        "ia0_gpu_temperature_celsius": (
            "How warm a card is.",
            [(gpu, gpu.temperature_c) for gpu in gpus if gpu.temperature_c is not None],
        ),
    }
    for name, (text, rows) in known.items():
        family = GaugeMetricFamily(name, text, labels=("gpu", "name", "uuid"))
        for gpu, value in rows:
            family.add_metric((str(gpu.index), gpu.name, gpu.uuid), float(value))
        yield family


def _disks(sample: Sample) -> Iterator[Metric]:
    free = GaugeMetricFamily("ia0_disk_free_bytes", "What may still be written there.", labels=("path",))
    total = GaugeMetricFamily("ia0_disk_total_bytes", "The size of the file system.", labels=("path",))
    for disk in sample.disks:
        free.add_metric((disk.path,), float(disk.free_bytes))
        total.add_metric((disk.path,), float(disk.total_bytes))
    yield free
    yield total


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _by_model(name: str, text: str, sizes: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=("model",))
    for model, size in sizes.items():
        family.add_metric((model,), float(size))
    return family
