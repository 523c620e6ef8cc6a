"""What is written into the history and read from it, as SQL.

Owns the statements. Never opens a file, and knows no thread.

    insert(connection, events); prune(connection, keep) -> how many; select(connection, Wanted) -> rows
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import msgspec

from ia0_daemon.supervisor.event_kinds import Severity
from ia0_daemon.supervisor.events import Event, details_json

# Deleting a hundred thousand rows at once would hold the writer and grow the log; a step takes milliseconds.
PRUNE_STEP = 500


@dataclass(frozen=True)
class Keep:
    """How much history is kept."""

    count: int
    age_s: float


@dataclass(frozen=True)
class Wanted:
    """Which events are asked for. Empty means all; `after_id` is for those who follow."""

    kinds: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    since: str = ""
    after_id: int = 0
    limit: int = -1


@dataclass(frozen=True)
class Row:
    """An event as it is kept."""

    id: int
    event: Event


@dataclass(frozen=True)
class AlertRow:
    """An alert that fires, as it is kept. Times are RFC 3339; `told_at` is when it was told last."""

    name: str
    severity: Severity
    summary: str
    details: dict[str, object]
    since: str
    told_at: str


def insert(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Write events in one transaction: all or none."""
    rows = [(each.at, each.kind, each.severity, each.summary, details_json(each.details)) for each in events]
    with transaction(connection):
        connection.executemany(
            "INSERT INTO event (at, kind, severity, summary, details) VALUES (?, ?, ?, ?, ?)", rows
        )


def prune(connection: sqlite3.Connection, count: int, oldest: str) -> int:
    """Delete one step of what is too old or too many, the oldest first; 0 when nothing is left to do."""
    beyond = connection.execute("SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?", (count,)).fetchone()
    deleted = connection.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <= ? ORDER BY id LIMIT ?)",
        (beyond[0] if beyond else 0, PRUNE_STEP),
    ).rowcount
    deleted += connection.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ? ORDER BY at LIMIT ?)",
        (oldest, PRUNE_STEP),
    ).rowcount
    return deleted


def select(connection: sqlite3.Connection, wanted: Wanted) -> list[Row]:
    """The events that are wanted, newest first."""
    conditions, values = _conditions(wanted)
    rows = connection.execute(
        "SELECT id, at, kind, severity, summary, details FROM event "  # noqa: S608  # conditions are constants of this module
        f"WHERE {conditions} ORDER BY id DESC LIMIT ?",
        (*values, wanted.limit),
    )
    return [_row(row) for row in rows]


def replace_alerts(connection: sqlite3.Connection, rows: Iterable[AlertRow]) -> None:
    """Write which alerts fire, in place of what is there."""
    values = [
        (row.name, row.severity, row.summary, details_json(row.details), row.since, row.told_at)
        for row in rows
    ]
    with transaction(connection):
        connection.execute("DELETE FROM alert")
        connection.executemany("INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?)", values)


def alerts(connection: sqlite3.Connection) -> list[AlertRow]:
    """The alerts that fire, the oldest first."""
    rows = connection.execute(
        "SELECT name, severity, summary, details, since, told_at FROM alert ORDER BY since, name"
    )
    return [
        AlertRow(name, severity, summary, msgspec.json.decode(details), since, told_at)
        for name, severity, summary, details, since, told_at in rows
    ]


def newest_of(connection: sqlite3.Connection, kind: str) -> str | None:
    """When an event of this kind was recorded last."""
    found = connection.execute("SELECT max(at) FROM event WHERE kind = ?", (kind,)).fetchone()[0]
    return None if found is None else str(found)


class transaction:  # noqa: N801  # reads as a word of the sentence that uses it
    """All that is done within, or nothing of it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:  # a full disk has rolled back already
            self._connection.execute("ROLLBACK")


def _conditions(wanted: Wanted) -> tuple[str, tuple[object, ...]]:
    parts, values = ["id > ?"], [cast("object", wanted.after_id)]
    if wanted.since:
        parts.append("at >= ?")
        values.append(wanted.since)
    for column, words in (("kind", wanted.kinds), ("severity", wanted.severities)):
        if words:
            parts.append(f"{column} IN ({', '.join('?' * len(words))})")
            values.extend(words)
    return " AND ".join(parts), tuple(values)


def _row(row: tuple[int, str, str, str, str, str]) -> Row:
    identity, at, kind, severity, summary, details = row
    return Row(identity, Event(at, kind, cast("Severity", severity), summary, msgspec.json.decode(details)))
