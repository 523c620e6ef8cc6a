"""Every metric that is printed is documented, and no other."""

from __future__ import annotations

import re
from logging import makeLogRecord
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from ia0_daemon.backup import state
from ia0_daemon.backup.metrics import families as backup_families
from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.gate import Gate
from ia0_daemon.gateway.call import Call
from ia0_daemon.gateway.limits import Limiter
from ia0_daemon.gateway.metrics import Metrics
from ia0_daemon.gateway.record import record
from ia0_daemon.gateway.service import Live, Service
from ia0_daemon.gateway.shared_store import open_store
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.schema import Shared
from ia0_daemon.supervisor.baseline import Baselines
from ia0_daemon.supervisor.memory_metrics import families as memory_families
from ia0_daemon.supervisor.supervision import Supervision
from tests.contract.test_memory_docs import EVERYTHING
from tests.fakes import FakeClient, FakeControl

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


class Everything(Collector):
    """What is printed only once there was a sample, and a backup."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> list[object]:
        return []

    def collect(self) -> list[object]:
        return [*memory_families(EVERYTHING, Baselines()), *backup_families(self._folder)]


@pytest.fixture
def printed(tmp_path: Path) -> set[str]:
    """The names under which Prometheus meets our metrics."""
    source = Source(None, {"IA0_EVENTS__PATH": str(tmp_path / "events.db")})
    metrics = Metrics()
    live = Live.of(source.load(), FakeClient(), EngineWatch(FakeControl(), 60))
    service = Service(live, metrics, Gate(1, 1))
    metrics.watch(service)
    limiters = [
        Limiter(None, str(tmp_path / "usage.db")),
        Limiter(open_store(Shared(url="valkey://127.0.0.1:1")), ""),  # nobody is there
    ]
    for limiter in limiters:
        metrics.watch_limits(limiter)
    Supervision(service, source)
    once = CollectorRegistry()
    state.write(
        tmp_path, state.State(backup=state.success(1.0, "a", 1), restore_test=state.success(1.0, "a"))
    )
    once.register(Everything(tmp_path))
    text = metrics.render().decode() + generate_latest(once).decode()
    for limiter in limiters:
        limiter.close()
    names = re.findall(r"^# TYPE (ia0_\w+)", text, re.MULTILINE)
    # The series with a counter's birthday are turned off for the whole process at the daemon's start.
    return {name for name in names if not name.endswith("_created")}


def test_every_metric_is_documented(printed: set[str]) -> None:
    assert printed, "nothing is printed"
    assert printed - _documented() == set()


def test_every_documented_metric_is_printed(printed: set[str]) -> None:
    assert _documented() - printed == set()


def _documented() -> set[str]:
    return set(re.findall(r"`(ia0_\w+)`", PAGE.read_text("utf-8")))


def test_every_field_of_a_requests_line_is_documented(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ia0.request")
    call = Call(
        "id", "POST", "/", "/", "127.0.0.1", bool, **dict.fromkeys(("key", "model", "error", "reason"), "x")
    )
    call.requested_model, call.finish_reason, call.stream = "x", "stop", True
    call.cached = call.context_full = True
    call.passed_over, call.truncated, call.texts = ["x"], {"x": 1}, {"prompt": "", "system": "", "text": ""}
    call.slot_s = call.gate_s = call.reading_s = call.load_s = 1.0
    call.askings, call.asked_again, call.resumed = 2, 1, 1
    call.note_first_token()
    record(call, Metrics())
    call.cached, call.was_loaded, call.asked_again, call.resumed = False, True, 0, 0
    call.texts = dict.fromkeys(("prompt", "system", "text"), "x")
    record(call, Metrics())
    said = {name for line in caplog.records for name in vars(line)} - vars(makeLogRecord({})).keys()
    section = PAGE.read_text("utf-8").partition("## The log's line of a request")[2]
    assert said - {"event", "message"} == set(re.findall(r"`([a-z_]+)`[^|]*\|", _first_cells(section)))


def _first_cells(section: str) -> str:
    """The first cell of each row, a bar behind each name."""
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return "".join(f"{name.strip()}|" for row in rows for name in row.split(","))
