"""The gauges of supervisor, gate and backups, looked up whenever Prometheus asks.

Owns their names; `docs/metrics.md` describes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from ia0_daemon.gate import Gate
    from ia0_daemon.supervisor.supervisor import Supervisor


class Gauges(Collector):
    """What the supervisor and the gate are doing now."""

    def __init__(self, supervisor: Supervisor, gate: Gate, backups: Callable[[], Iterator[Metric]]) -> None:
        self._supervisor, self._gate, self._backups = supervisor, gate, backups

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand; the names are this module's own and unique."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Look them up."""
        supervisor, gate = self._supervisor, self._gate
        yield _gauge("ia0_supervisor_failed", "1 while restarts are given up.", bool(supervisor.failed))
        yield _gauge("ia0_gate_closed", "1 while requests wait or are refused.", gate.closing is not None)
        yield _gauge("ia0_gate_waiting", "Requests that wait for a restart to end.", gate.waiting)
        yield _gauge("ia0_restarts_left", "Restarts left in the window.", supervisor.standing().left)
        yield from self._backups()


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
