"""The event history, which a running daemon writes to while it is saved and put back.

Owns how a SQLite database in WAL mode is copied, checked and replaced. Never knows what is in it.
Copying its file would miss the WAL; replacing it under a running daemon would mix two databases.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

# How long the daemon's own transactions may hold the database: they take milliseconds.
_WAIT_S = 10.0


class HistoryError(Exception):
    """The database cannot be copied, or is damaged."""


def copy(source: Path, target: Path) -> None:
    """Copy a database, as of one moment, into one file without a WAL; OSError where the disk is full."""
    try:
        with closing(_connect(source, "ro")) as old, closing(_connect(target, "rwc")) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
        raise HistoryError(f"it cannot be copied: {error}") from error


def problems(path: Path) -> list[str]:
    """What SQLite finds wrong in a database; empty if it is sound."""
    try:
        with closing(_connect(path, "ro")) as database:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(10)")]
    except sqlite3.Error as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def put_back(source: Path, live: Path) -> None:
    """Replace what is in a database that others may have open: readers see the old rows or the new ones."""
    try:
        with closing(_connect(source, "ro")) as old, closing(_connect(live, "rwc")) as new:
            old.backup(new)
    except sqlite3.Error as error:
        raise HistoryError(f"{live}: the history cannot be put back: {error}") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=_WAIT_S)
