"""The small database in which the tokens of a day outlive a restart (`auth.usage_path`).

Owns the file and the thread that writes it, once a second, far from any request. Never fails a request: where
it cannot be read or written, counting goes on in memory, and that is said once.

    start: read today -> the book;   every second: what is unwritten in the book -> one transaction
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ia0_daemon.gateway.usage import DayBook, day_text
from ia0_daemon.supervisor.event_database import is_corrupt, move_aside

log = logging.getLogger(__name__)

# What a kill of the process may cost of the day's count; in seconds.
WRITE_S = 1.0
# How long a write waits for another process that has the file; in seconds.
BUSY_S = 2.0
# Whoever asks what was used looks back a month.
KEPT_DAYS = 31
# "IA0U": says in the file's header whose it is.
APPLICATION_ID = 0x49413055
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS tokens (
    day TEXT NOT NULL,
    name TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (day, name)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
COMMIT;
"""
_ADD = """
INSERT INTO tokens (day, name, tokens) VALUES (?, ?, ?)
ON CONFLICT (day, name) DO UPDATE SET tokens = tokens + excluded.tokens
"""


@dataclass(frozen=True)
class UsageState:
    """Whether the tokens of the day are being kept."""

    is_kept: bool
    error: str = ""


class UsageDatabase:
    """The database of one daemon's book. `start` reads it and begins to write, `close` writes the rest."""

    def __init__(self, path: Path, book: DayBook, write_s: float = WRITE_S) -> None:
        self._path, self._book, self._write_s = path, book, write_s
        self._state = UsageState(is_kept=True)
        self._was_read = False
        self._connection: sqlite3.Connection | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ia0-usage", daemon=True)

    @property
    def state(self) -> UsageState:
        """Give whether it is being kept."""
        return self._state

    def start(self) -> None:
        """Read today's tokens, so that the first request is held against them, and write from now on."""
        self._sync()
        self._thread.start()

    def close(self) -> None:
        """Write what is left and end."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._sync()
        self._let_go()

    def _run(self) -> None:
        while not self._ended.wait(self._write_s):
            self._sync()

    def _sync(self) -> None:
        """Write what is new, and read what was there where that was not yet possible."""
        taken = self._book.take_unwritten()
        if not taken and self._was_read and self._state.is_kept:
            return
        try:
            if self._connection is None:
                self._connection = _open(self._path)
            self._write(self._connection, taken)
        except (OSError, sqlite3.Error) as error:
            self._book.put_back(taken)
            self._let_go()
            self._failed(error)
        else:
            self._note("")

    def _write(self, connection: sqlite3.Connection, taken: dict[tuple[int, str], int]) -> None:
        today = self._book.today
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_ADD, [(day_text(day), name, tokens) for (day, name), tokens in taken.items()])
        connection.execute("DELETE FROM tokens WHERE day < ?", (day_text(today - KEPT_DAYS),))
        rows = connection.execute(
            "SELECT name, tokens FROM tokens WHERE day = ?", (day_text(today),)
        ).fetchall()
        connection.execute("COMMIT")
        self._book.learn(today, dict(rows))
        self._was_read = True

    def _let_go(self) -> None:
        """Close the file; what was begun in it is undone."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _failed(self, error: Exception) -> None:
        why = str(error)
        if isinstance(error, sqlite3.Error) and is_corrupt(error):
            try:
                why = f"it was damaged; moved to {move_aside(self._path)}"
            except OSError as other:
                why = f"it is damaged and cannot be moved: {other}"
        self._note(why)

    def _note(self, error: str) -> None:
        before, self._state = self._state, UsageState(is_kept=not error, error=error)
        told = {"event": "usage_not_kept", "path": str(self._path), "error": error}
        if error and before.is_kept:
            log.warning("the tokens of the day are counted in memory alone", extra=told)
        elif not error and not before.is_kept:
            log.info("the tokens of the day are kept again", extra={**told, "event": "usage_kept"})


def _open(path: Path) -> sqlite3.Connection:
    """The database, made where it is missing. Its thread writes, the daemon's own begins and ends it."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    # SQLite would make it readable for everybody.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        if owner != APPLICATION_ID:
            _make(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection, path: Path) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if tables:
        raise OSError(f"{path} is another program's database; auth.usage_path must name a file of its own")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(_SCHEMA)
