"""Every metric that is printed is documented, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.gateway.metrics import Metrics
from ia0_daemon.gateway.service import Live, Service
from ia0_daemon.settings.schema import Settings
from tests.fakes import FakeClient, FakeControl

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def printed() -> set[str]:
    """The names under which Prometheus meets our metrics."""
    metrics = Metrics()
    service = Service(Live.of(Settings(), FakeClient(), EngineWatch(FakeControl(), 60)), metrics)
    metrics.watch(service)
    names = re.findall(r"^# TYPE (ia0_\w+)", metrics.render().decode(), re.MULTILINE)
    # The series with a counter's birthday are turned off for the whole process at the daemon's start.
    return {name for name in names if not name.endswith("_created")}


def test_every_metric_is_documented(printed: set[str]) -> None:
    assert printed, "nothing is printed"
    assert printed - _documented() == set()


def test_every_documented_metric_is_printed(printed: set[str]) -> None:
    assert _documented() - printed == set()


def _documented() -> set[str]:
    return set(re.findall(r"`(ia0_\w+)`", PAGE.read_text("utf-8")))
