"""The history's SQLite file: opening, its schema, and what is wrong with it when it cannot be opened.

Owns the tables, the pragmas and which file is refused. Never decides what is
written when (`event_store.py` does), and never throws a file away: a corrupt
one is moved aside.

    open_for_writing(path) -> Connection, or Refused / sqlite3.Error
    open_for_reading(path) -> Connection, or Refused / sqlite3.Error
"""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

# "IA0E": says in the file's header whose it is.
APPLICATION_ID = 0x49413045
SCHEMA_VERSION = 1
# How long a writer waits for another process that writes, in seconds; readers never make it wait (WAL).
BUSY_S = 2.0
# A write-ahead log that has grown is cut back to this at a checkpoint.
WAL_BYTES = 4 * 2**20
# Corrupt files are kept for whoever wants to know why, but not without end.
KEPT_ASIDE = 3

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    summary TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX event_at ON event (at);
CREATE TABLE alert (
    name TEXT PRIMARY KEY,
    severity TEXT NOT NULL,
    summary TEXT NOT NULL,
    details TEXT NOT NULL,
    since TEXT NOT NULL,
    told_at TEXT NOT NULL
) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class Refused(Exception):
    """A file that is not touched: another program's, or a newer version's."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the history and make it where it is missing. The connection may go from thread to thread."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    _create_private(path)
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the history without the right to change it, whether or not a daemon writes it."""
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        return _reader(path, "mode=ro")
    except sqlite3.OperationalError:
        # A reader without the right to write the folder cannot make the files of the write-ahead log. Where
        # there is none, nobody writes, and the file alone is the whole history.
        if _beside(path, "-wal").exists():
            raise
        return _reader(path, "mode=ro&immutable=1")


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is damaged or no database."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def move_aside(path: Path) -> Path:
    """Rename a corrupt file and its log; gives the new name. Of those from before only the newest stay."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        source = _beside(path, suffix)
        if source.exists():
            source.replace(_beside(aside, suffix))
    _forget_old(path)
    return aside


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL: a power cut may cost the last events, the death of the process costs none.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    if _is_empty(connection):
        connection.executescript(_SCHEMA)
    _check_owner(connection, path)
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        error = sqlite3.DatabaseError(str(found))
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _reader(path: Path, query: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}", uri=True, timeout=BUSY_S, isolation_level=None
    )
    try:
        _check_owner(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_empty(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return bool(tables == 0)


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if owner != APPLICATION_ID:
        raise Refused(f"{path} is another program's database; events.path must name a file of its own")
    if version > SCHEMA_VERSION:
        raise Refused(
            f"{path} was written by a newer ia0 (schema {version}, this one knows {SCHEMA_VERSION}); "
            "run the newer version, or move the file away to begin a new history"
        )


def _create_private(path: Path) -> None:
    """SQLite would make it readable for everybody; its log inherits the mode."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
    os.close(descriptor)


def _forget_old(path: Path) -> None:
    aside = sorted(
        other
        for other in path.parent.glob(f"{path.name}.corrupt-*")
        if not other.name.endswith(("-wal", "-shm"))
    )
    for old in aside[:-KEPT_ASIDE]:
        for suffix in ("", "-wal", "-shm"):
            _beside(old, suffix).unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
