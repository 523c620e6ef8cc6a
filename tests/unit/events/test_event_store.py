"""The history: what is recorded is logged, counted, handed on and kept, and hurts no caller."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ia0_daemon.clock import rfc3339
from ia0_daemon.supervisor import event_writer
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.event_metrics import EventMetrics
from ia0_daemon.supervisor.event_rows import PRUNE_STEP, AlertRow, Keep, Wanted
from ia0_daemon.supervisor.event_store import EventStore
from ia0_daemon.supervisor.events import Event
from tests.unit.conftest import Eventually

Make = Callable[[int], Event]
Open = Callable[..., EventStore]


def summaries(store: EventStore, wanted: Wanted = Wanted()) -> list[str]:  # noqa: B008  # frozen
    return [row.event.summary for row in store.read(wanted)]


def test_an_event_is_kept_whole(store: EventStore) -> None:
    event = Event.now(Kind.RESTART_STARTED, "Restarting.", phases={"drain": 1.5}, waited=3)
    store.record(event)
    assert store.flush()
    assert [row.event for row in store.read(Wanted())] == [event]


def test_events_are_read_newest_first(store: EventStore, drain: Make) -> None:
    for number in range(3):
        store.record(drain(number))
    assert store.flush()
    assert summaries(store) == ["drain 2", "drain 1", "drain 0"]


def test_events_outlive_the_daemon(open_store: Open, drain: Make) -> None:
    first = open_store()
    first.record(drain(1))
    first.stop()
    assert summaries(open_store()) == ["drain 1"]


def test_what_is_asked_for_is_what_comes(store: EventStore) -> None:
    old = rfc3339(datetime.now(UTC) - timedelta(hours=3))
    store.record(Event(old, "drain", "info", "old"))
    store.record(Event.now(Kind.DRAIN, "new"))
    store.record(Event.now(Kind.MEMORY_HARD, "hard"))
    assert store.flush()
    since = rfc3339(datetime.now(UTC) - timedelta(hours=2))
    assert summaries(store, Wanted(since=since)) == ["hard", "new"]
    assert summaries(store, Wanted(kinds=("drain",))) == ["new", "old"]
    assert summaries(store, Wanted(severities=("error", "critical"))) == ["hard"]
    assert summaries(store, Wanted(after_id=1, limit=1)) == ["hard"]


def test_an_event_is_one_log_line(store: EventStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        store.record(Event.now(Kind.SUPERVISOR_FAILED, "Given up.", error="no budget"))
    found = [each for each in caplog.records if each.__dict__.get("event") == "supervisor_failed"]
    assert [(each.levelname, each.getMessage()) for each in found] == [("CRITICAL", "Given up.")]
    assert found[0].__dict__["details"] == {"error": "no budget"}


def test_events_are_counted(store: EventStore, registry: CollectorRegistry, drain: Make) -> None:
    store.record(drain(1))
    labels = {"kind": "drain", "severity": "info"}
    assert registry.get_sample_value("ia0_events_total", labels) == 1


def test_a_listener_that_fails_hurts_nobody(store: EventStore, drain: Make) -> None:
    heard: list[Event] = []

    def broken(_: Event) -> None:
        raise RuntimeError("broken")

    store.subscribe(broken)
    store.subscribe(heard.append)
    store.record(drain(1))
    assert [event.summary for event in heard] == ["drain 1"]
    assert store.flush()
    assert summaries(store) == ["drain 1"]


def test_what_is_no_event_is_not_raised(store: EventStore) -> None:
    store.record(None)  # type: ignore[arg-type]  # a caller's defect
    assert store.flush()
    assert summaries(store) == []


def test_events_before_the_start_are_written_after_it(path: Path, drain: Make) -> None:
    store = EventStore(path, Keep(10, 60), EventMetrics(CollectorRegistry()))
    store.record(drain(1))
    store.start()
    assert store.flush()
    assert summaries(store) == ["drain 1"]
    store.stop()


def test_a_full_queue_is_counted_and_holds_nobody(
    path: Path, registry: CollectorRegistry, drain: Make
) -> None:
    store = EventStore(path, Keep(10, 60), EventMetrics(registry))
    for number in range(event_writer.MOST_QUEUED + 5):
        store.record(drain(number))
    assert registry.get_sample_value("ia0_events_unwritten_total", {"reason": "queue_full"}) == 5


def test_the_history_is_bounded_by_count(open_store: Open, drain: Make, eventually: Eventually) -> None:
    store = open_store(keep=Keep(count=100, age_s=86400))
    for number in range(700):
        store.record(drain(number))
    assert store.flush()
    store.prune()
    eventually(lambda: len(store.read(Wanted())) == 100)
    assert summaries(store, Wanted(limit=1)) == ["drain 699"]


def test_the_history_is_bounded_by_age(open_store: Open, drain: Make, eventually: Eventually) -> None:
    store = open_store(keep=Keep(count=10_000, age_s=3600))
    old = rfc3339(datetime.now(UTC) - timedelta(hours=2))
    for _ in range(PRUNE_STEP + 100):
        store.record(Event(old, "drain", "info", "old"))
    store.record(drain(1))
    store.prune()
    eventually(lambda: store.flush() and summaries(store) == ["drain 1"])


def test_a_reload_changes_the_bounds(open_store: Open, drain: Make, eventually: Eventually) -> None:
    store = open_store()
    for number in range(20):
        store.record(drain(number))
    assert store.flush()
    store.keep(Keep(count=5, age_s=86400))
    eventually(lambda: len(store.read(Wanted())) == 5)


def test_alerts_outlive_the_daemon(open_store: Open) -> None:
    row = AlertRow("disk_low", "warning", "low", {"free": 1}, "2026-01-01T00:00:00.000Z", "")
    first = open_store()
    first.save_alerts((row,))
    first.save_alerts((row, row.__class__("memory_hard", "error", "hard", {}, row.since, row.since)))
    first.stop()
    assert [each.name for each in open_store().load_alerts()] == ["disk_low", "memory_hard"]


def test_the_file_is_not_for_everybody(store: EventStore, path: Path) -> None:
    assert store.flush()
    assert [each.stat().st_mode & 0o007 for each in path.parent.iterdir()] != []
    assert all(each.stat().st_mode & 0o007 == 0 for each in path.parent.iterdir())


def test_many_threads_record_at_once(store: EventStore, drain: Make) -> None:
    def record() -> None:
        for number in range(50):
            store.record(drain(number))

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.flush()
    assert len(store.read(Wanted())) == 400


def test_a_file_that_was_put_in_its_place_is_written_from_then_on(
    store: EventStore, path: Path, tmp_path: Path, drain: Make
) -> None:
    store.record(drain(1))
    assert store.flush()
    copy = tmp_path / "copy.db"
    with sqlite3.connect(path) as old, sqlite3.connect(copy) as new:
        old.backup(new)
    old.close()
    new.close()
    copy.replace(path)
    store.record(drain(2))
    assert store.flush()
    assert summaries(store) == ["drain 2", "drain 1"]
