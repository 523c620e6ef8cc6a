"""Where every event goes: one log line, one count, the history, and whoever listens.

Owns that order. Never raises into whoever records and never makes it wait for a
disk: a remedy must not hang on its history.

    record(event) -> bound it -> log -> count -> queue of the writer -> subscribers
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ia0_daemon.supervisor.event_database import Refused, open_for_reading
from ia0_daemon.supervisor.event_metrics import EventMetrics
from ia0_daemon.supervisor.event_rows import AlertRow, Keep, Row, Wanted, alerts, select
from ia0_daemon.supervisor.event_writer import EventWriter
from ia0_daemon.supervisor.events import Event

log = logging.getLogger(__name__)

T = TypeVar("T")

_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}

Subscriber = Callable[[Event], None]


class EventStore:
    """The history of one daemon. `start` before the first event is best; what comes earlier is queued."""

    def __init__(self, path: Path, keep: Keep, metrics: EventMetrics) -> None:
        self._path = path
        self._metrics = metrics
        self._subscribers: tuple[Subscriber, ...] = ()
        self._writer = EventWriter(path, keep, self.record, self._count_lost)

    def start(self) -> None:
        """Begin to write. A file that cannot be opened is said as an event, never raised."""
        self._writer.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Write what is queued and close the file."""
        self._writer.stop(timeout_s)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Hand every event from now on to a function that returns at once; what it raises is logged."""
        self._subscribers = (*self._subscribers, subscriber)

    def record(self, event: Event) -> None:
        """Keep an event. Any thread; never raises, never waits."""
        try:
            bounded = event.bounded()
            self._log(bounded)
            self._metrics.events.labels(bounded.kind, bounded.severity).inc()
            if not self._writer.put(bounded):
                self._count_lost("queue_full", 1)
            self._tell(bounded)
        except Exception:  # the edge: a restart must not end because its event is malformed
            log.exception("an event could not be recorded")

    def keep(self, keep: Keep) -> None:
        """Change the bounds of the history, as a reload does."""
        self._writer.keep = keep
        self._writer.prune()

    def prune(self) -> None:
        """Delete what is too old or too many; the daemon's schedule calls it, and the writer does it."""
        self._writer.prune()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what was recorded is in the file; False if it is not."""
        return self._writer.flush(timeout_s)

    def save_alerts(self, rows: tuple[AlertRow, ...]) -> None:
        """Keep which alerts fire, in place of what was kept before."""
        self._writer.put(rows)

    def load_alerts(self) -> tuple[AlertRow, ...]:
        """The alerts that fired when they were saved last; none where the file says nothing."""
        return tuple(self._read(alerts) or ())

    def read(self, wanted: Wanted) -> list[Row]:
        """The events that are wanted, newest first; none where there is no file that can be read."""
        return self._read(lambda connection: select(connection, wanted)) or []

    def _read(self, ask: Callable[[sqlite3.Connection], T]) -> T | None:
        try:
            connection = open_for_reading(self._path)
            try:
                return ask(connection)
            finally:
                connection.close()
        except (sqlite3.Error, Refused, OSError) as error:
            log.debug("the history cannot be read: %s", error)
            return None

    def _log(self, event: Event) -> None:
        extra = {"event": event.kind, "severity": event.severity, "details": event.details}
        log.log(_LEVELS.get(event.severity, logging.ERROR), event.summary, extra=extra)

    def _tell(self, event: Event) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:  # the edge: one listener's defect is not the others'
                log.exception("a listener failed at the event %s", event.kind)

    def _count_lost(self, reason: str, number: int) -> None:
        self._metrics.lost.labels(reason).inc(number)
