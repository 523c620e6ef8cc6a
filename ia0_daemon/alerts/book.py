"""Which alerts fire, since when, and when each was told last.

Owns deduplication, holding back and repetition. It reads no clock, writes no
file, sends nothing, and leaves locking to its owner.

    change(Change, now) -> Messages; due(now) -> Messages

An alert is held back while it is younger than its `hold`, and while a graver one
that says it already fires. One that ends untold is never told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ia0_daemon.alerts.message import Message, Status
from ia0_daemon.alerts.rules import SAID_BY, Alert, Change
from ia0_daemon.clock import rfc3339
from ia0_daemon.supervisor.event_rows import AlertRow

_UNTOLD = ""


@dataclass(frozen=True)
class Pace:
    """How often an alert is told, and how long which one is held back first."""

    repeat: timedelta
    hold: Mapping[Alert, timedelta] = field(default_factory=dict)


class Book:
    """The alerts that fire."""

    def __init__(self, pace: Pace, rows: Iterable[AlertRow] = ()) -> None:
        """Go on with what was kept; alerts that this version does not know are forgotten."""
        known = {alert.value for alert in Alert}
        self.pace = pace
        self._firing = {row.name: row for row in rows if row.name in known}

    @property
    def rows(self) -> tuple[AlertRow, ...]:
        """The alerts that fire, as they are kept."""
        return tuple(self._firing.values())

    def change(self, change: Change, now: datetime) -> list[Message]:
        """Take note of what was found out; the messages that it leads to."""
        if change.firing:
            self._fire(change, now)
            return self.due(now)
        row = self._firing.pop(change.alert, None)
        return [] if row is None else [*_ended(row, change, now), *self.due(now)]

    def due(self, now: datetime) -> list[Message]:
        """The messages of alerts that are not told yet, or were told long ago."""
        messages = []
        for name, row in self._firing.items():
            status = self._status(row, now)
            if status is not None:
                at = rfc3339(now)
                self._firing[name] = replace(row, told_at=at)
                messages.append(_message(row, status, at))
        return messages

    def _fire(self, change: Change, now: datetime) -> None:
        row = self._firing.get(change.alert)
        since, told_at = (row.since, row.told_at) if row is not None else (rfc3339(now), _UNTOLD)
        # Where it fires already, the newest words are told at the next repetition.
        self._firing[change.alert] = AlertRow(
            change.alert.value, change.severity, change.summary, change.details, since, told_at
        )

    def _status(self, row: AlertRow, now: datetime) -> Status | None:
        """What there is to tell of an alert now, if anything. A clock set back makes nothing late."""
        alert = Alert(row.name)
        if SAID_BY.get(alert) in self._firing:
            return None
        if row.told_at == _UNTOLD:
            return "firing" if _apart(row.since, now) >= self.pace.hold.get(alert, timedelta()) else None
        return "repeated" if _apart(row.told_at, now) >= self.pace.repeat else None


def _apart(earlier: str, now: datetime) -> timedelta:
    return abs(now - datetime.fromisoformat(earlier))


def _ended(row: AlertRow, change: Change, now: datetime) -> list[Message]:
    if row.told_at == _UNTOLD:
        return []
    ended = replace(row, severity="info", summary=change.summary, details=change.details)
    return [_message(ended, "resolved", rfc3339(now))]


def _message(row: AlertRow, status: Status, at: str) -> Message:
    return Message(row.name, status, row.severity, row.summary, row.since, at, details=row.details)
