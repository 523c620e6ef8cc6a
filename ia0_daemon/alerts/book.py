"""Which alerts fire, since when, and when each was told last.

Owns deduplication and repetition. Pure but for what it remembers: it reads no
clock, writes no file, sends nothing, and leaves locking to its owner.

    change(Change, now) -> Message or None; due(now, repeat) -> Messages
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from ia0_daemon.alerts.message import Message, Status
from ia0_daemon.alerts.rules import Alert, Change
from ia0_daemon.clock import rfc3339
from ia0_daemon.supervisor.event_rows import AlertRow


class Book:
    """The alerts that fire."""

    def __init__(self, rows: Iterable[AlertRow] = ()) -> None:
        """Go on with what was kept; alerts that this version does not know are forgotten."""
        known = {alert.value for alert in Alert}
        self._firing = {row.name: row for row in rows if row.name in known}

    @property
    def rows(self) -> tuple[AlertRow, ...]:
        """The alerts that fire, as they are kept."""
        return tuple(self._firing.values())

    def change(self, change: Change, now: datetime) -> Message | None:
        """Take note of what was found out; a message where it is news."""
        row = self._firing.get(change.alert)
        if not change.firing:
            return None if row is None else self._resolve(row, change, now)
        at = rfc3339(now)
        if row is not None:
            # The newest words are told at the next repetition.
            newer = replace(row, severity=change.severity, summary=change.summary, details=change.details)
            self._firing[change.alert] = newer
            return None
        row = AlertRow(change.alert.value, change.severity, change.summary, change.details, at, at)
        self._firing[change.alert] = row
        return _message(row, "firing", at)

    def due(self, now: datetime, repeat: timedelta) -> list[Message]:
        """The messages of alerts that still fire and were told long ago. A clock set back makes none late."""
        at = rfc3339(now)
        messages = []
        for name, row in self._firing.items():
            if abs(now - datetime.fromisoformat(row.told_at)) >= repeat:
                self._firing[name] = replace(row, told_at=at)
                messages.append(_message(row, "repeated", at))
        return messages

    def _resolve(self, row: AlertRow, change: Change, now: datetime) -> Message:
        del self._firing[row.name]
        ended = replace(row, severity="info", summary=change.summary, details=change.details)
        return _message(ended, "resolved", rfc3339(now))


def _message(row: AlertRow, status: Status, at: str) -> Message:
    return Message(row.name, status, row.severity, row.summary, row.since, at, details=row.details)
