"""The tokens of the day: the day's turn, the database that keeps them, and going on without it."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ia0_daemon.gateway.usage import DAY_S, DayBook, day_text
from ia0_daemon.gateway.usage_database import KEPT_DAYS, UsageDatabase
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(20_000.0 * DAY_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.db"


def written(path: Path) -> list[tuple[str, str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT day, name, tokens FROM tokens ORDER BY day, name").fetchall()


def run(path: Path, book: DayBook, **tokens: int) -> UsageDatabase:
    """A daemon's life: start, count, end."""
    database = UsageDatabase(path, book)
    database.start()
    for name, count in tokens.items():
        book.add(name, count)
    database.close()
    return database


def test_a_day_is_written_as_its_date() -> None:
    assert day_text(20_000) == "2024-10-04"


def test_counts_add_up_over_restarts(path: Path, clock: FakeClock) -> None:
    run(path, DayBook(clock), a=5, b=1)
    book = DayBook(clock)
    run(path, book, a=2)
    assert book.total("a") == 7
    assert written(path) == [("2024-10-04", "a", 7), ("2024-10-04", "b", 1)]


def test_a_new_day_begins_at_nothing_and_the_old_one_is_kept(path: Path, clock: FakeClock) -> None:
    book = DayBook(clock)
    run(path, book, a=5)
    book.add("a", 1)
    clock.now += DAY_S
    assert book.total("a") == 0
    run(path, book, a=3)
    assert written(path) == [("2024-10-04", "a", 6), ("2024-10-05", "a", 3)]


def test_days_long_ago_are_deleted(path: Path, clock: FakeClock) -> None:
    run(path, DayBook(clock), a=5)
    clock.now += (KEPT_DAYS + 1) * DAY_S
    run(path, DayBook(clock), a=3)
    assert [row[2] for row in written(path)] == [3]


def test_the_file_is_not_for_everybody(path: Path, clock: FakeClock) -> None:
    run(path, DayBook(clock), a=1)
    assert path.stat().st_mode & 0o007 == 0


def test_what_could_not_be_written_is_written_once_it_can(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path.mkdir()
    book = DayBook(clock)
    database = run(path, book, a=5)
    assert not database.state.is_kept
    path.rmdir()
    database.close()  # looks once more
    assert database.state.is_kept
    assert [row[2] for row in written(path)] == [5]
    assert [record.event for record in caplog.records] == ["usage_not_kept", "usage_kept"]


def test_a_damaged_file_is_moved_aside_and_the_count_goes_on(path: Path, clock: FakeClock) -> None:
    path.write_bytes(b"this is no database" * 100)
    book = DayBook(clock)
    database = run(path, book, a=5)
    database.close()
    assert database.state.is_kept
    assert [row[2] for row in written(path)] == [5]
    assert len(list(path.parent.glob("usage.db.corrupt-*"))) == 1


def test_a_file_that_is_damaged_meanwhile_gives_nobody_more_tokens(path: Path, clock: FakeClock) -> None:
    book = DayBook(clock)
    run(path, book, a=5)
    path.write_bytes(b"this is no database" * 1000)
    run(path, book, a=1)
    run(path, book, a=1)
    assert book.total("a") == 7


def test_another_programs_database_is_left_alone(path: Path, clock: FakeClock) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    before = path.read_bytes()
    database = run(path, DayBook(clock), a=5)
    assert "another program's database" in database.state.error
    assert path.read_bytes() == before


def test_a_kill_costs_nothing_that_was_written(path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from ia0_daemon.gateway.usage import DayBook\n"
        "from ia0_daemon.gateway.usage_database import UsageDatabase\n"
        "book = DayBook(); UsageDatabase(Path(sys.argv[1]), book, write_s=0.01).start()\n"
        "while True: book.add('a', 1); time.sleep(0.001)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)])
    until = time.monotonic() + 60
    while not (least := _counted(path)):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.wait(60)
    book = DayBook()
    run(path, book)
    assert book.total("a") >= least


def _counted(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        return sum(row[2] for row in written(path))
    except sqlite3.OperationalError:  # the table is just being made
        return 0


def test_a_locked_file_costs_nothing_but_time(path: Path, clock: FakeClock) -> None:
    run(path, DayBook(clock), a=5)
    book = DayBook(clock)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        database = UsageDatabase(path, book)
        database.start()
        book.add("a", 1)
        assert not database.state.is_kept
        other.execute("ROLLBACK")
    database.close()
    assert book.total("a") == 6
