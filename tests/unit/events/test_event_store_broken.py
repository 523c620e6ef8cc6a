"""What the history does when its file is damaged, foreign, full or gone."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ia0_daemon.supervisor import event_database, event_writer
from ia0_daemon.supervisor.event_database import SCHEMA_VERSION, Refused, move_aside, open_for_reading
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.event_rows import Wanted
from ia0_daemon.supervisor.event_store import EventStore
from ia0_daemon.supervisor.events import Event

Make = Callable[[int], Event]
Open = Callable[..., EventStore]


def kinds(store: EventStore) -> list[str]:
    return [row.event.kind for row in store.read(Wanted())]


def listening(store: EventStore) -> list[str]:
    heard: list[str] = []
    store.subscribe(lambda event: heard.append(event.kind))
    return heard


@pytest.mark.parametrize("damage", ["no database", "cut", "overwritten"])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(
    open_store: Open, path: Path, drain: Make, damage: str
) -> None:
    first = open_store()
    for number in range(200):
        first.record(drain(number))
    first.stop()
    whole = path.read_bytes()
    middle = whole[: len(whole) // 2] + b"\xa5" * 8192 + whole[len(whole) // 2 + 8192 :]
    path.write_bytes({"no database": b"x" * 9000, "cut": whole[:6000], "overwritten": middle}[damage])
    second = open_store()
    second.record(drain(1))
    assert second.flush()
    assert sorted(kinds(second)) == ["drain", "event_store_broken", "event_store_ok"]
    assert len([*path.parent.glob("events.db.corrupt-*")]) == 1


def test_a_file_that_is_damaged_while_it_is_open_costs_no_event(
    open_store: Open, path: Path, drain: Make
) -> None:
    store = open_store()
    store.record(drain(1))
    assert store.flush()
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)
    path.with_name("events.db-wal").write_bytes(b"")
    store.record(drain(2))
    store.flush()
    store.stop()
    again = open_store()
    again.record(drain(3))
    assert again.flush()
    assert "drain 3" in [row.event.summary for row in again.read(Wanted())]


def test_of_damaged_files_only_the_newest_stay(path: Path) -> None:
    path.parent.mkdir()
    for number in range(event_database.KEPT_ASIDE + 2):
        path.write_text(str(number))
        move_aside(path)
    kept = sorted(path.parent.glob("events.db.corrupt-*"))
    assert [file.read_text() for file in kept] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("pragma", "word"),
    [(f"user_version = {SCHEMA_VERSION + 1}", "newer ia0"), ("application_id = 1", "another program")],
)
def test_a_newer_or_foreign_file_is_not_touched(
    open_store: Open, path: Path, drain: Make, pragma: str, word: str
) -> None:
    first = open_store()
    first.record(drain(1))
    first.stop()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA {pragma}")
    database.close()
    second = open_store()
    heard = listening(second)
    second.record(drain(2))
    assert not second.flush()
    second.stop()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT summary FROM event").fetchall() == [("drain 1",)]
    database.close()
    assert "drain" in heard
    with pytest.raises(Refused, match=word):
        open_for_reading(path)


def test_a_full_disk_is_said_once_and_what_came_meanwhile_is_written_later(
    open_store: Open, drain: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    heard = listening(store)
    caplog.set_level("INFO")
    assert store.flush()
    real = event_database.open_for_writing

    def full(path: Path) -> sqlite3.Connection:
        """SQLite's own answer to a full disk: a file that may not grow."""
        connection = real(path)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(event_writer, "open_for_writing", full)
    store._writer._connection.execute("PRAGMA max_page_count = 1")  # type: ignore[union-attr]
    big = "x" * 8000
    for number in range(3):
        store.record(Event.now(Kind.DRAIN, f"big {number}", big=big))
        assert not store.flush()
    assert heard.count("event_store_broken") == 1
    assert "database or disk is full" in caplog.text
    assert caplog.text.count("big 2") == 1
    monkeypatch.setattr(event_writer, "open_for_writing", real)
    store.record(drain(9))
    assert store.flush()
    told = [row.event.summary for row in store.read(Wanted())]
    assert [text for text in reversed(told) if text.startswith(("big", "drain"))] == [
        "big 0", "big 1", "big 2", "drain 9",
    ]  # fmt: skip
    assert heard[-1] == "event_store_ok"


def test_what_is_kept_while_the_file_cannot_be_written_is_bounded(
    open_store: Open, path: Path, drain: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "MOST_KEPT", 5)
    path.parent.mkdir()
    path.mkdir()
    store = open_store()
    for number in range(20):
        store.record(drain(number))
    assert not store.flush()
    path.rmdir()
    store.record(drain(20))
    assert store.flush()
    assert len(store.read(Wanted())) <= 8


def test_another_process_that_writes_is_waited_for(open_store: Open, path: Path, drain: Make) -> None:
    store = open_store()
    assert store.flush()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.record(drain(1))
    assert not store.flush(0.3)
    other.execute("COMMIT")
    other.close()
    assert store.flush()
    assert kinds(store) == ["drain"]


WRITER = """
import sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.event_metrics import EventMetrics
from ia0_daemon.supervisor.event_rows import Keep
from ia0_daemon.supervisor.event_store import EventStore
from ia0_daemon.supervisor.events import Event
store = EventStore(Path(sys.argv[1]), Keep(100000, 86400), EventMetrics(CollectorRegistry()))
store.start()
number = 0
while True:
    number += 1
    for part in range(20):
        store.record(Event.now(Kind.DRAIN, f"{number}", part=part))
    if store.flush():
        print(number, flush=True)
"""


def test_what_was_acknowledged_outlives_a_kill_in_mid_write(open_store: Open, path: Path) -> None:
    repository = Path(__file__).parents[3]
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=repository
        )
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(10)][-1]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        store = open_store()
        assert store.flush()
        rows = store.read(Wanted())
        newest: dict[str, int] = {}
        for row in rows:
            newest[row.event.summary] = newest.get(row.event.summary, 0) + 1
        assert all(newest[str(number)] % 20 == 0 for number in range(1, acknowledged + 1))
        assert [*path.parent.glob("*.corrupt-*")] == []
        store.stop()


def test_a_history_is_read_where_the_folder_cannot_be_written(
    open_store: Open, path: Path, drain: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    store.record(drain(1))
    store.stop()
    real = event_database._reader

    def unprivileged(path: Path, query: str) -> sqlite3.Connection:
        """Root may write everywhere, so the refusal of SQLite is played."""
        if "immutable" not in query:
            raise sqlite3.OperationalError("unable to open database file")
        return real(path, query)

    monkeypatch.setattr(event_database, "_reader", unprivileged)
    connection = open_for_reading(path)
    assert connection.execute("SELECT count(*) FROM event").fetchone() == (1,)
    connection.close()
