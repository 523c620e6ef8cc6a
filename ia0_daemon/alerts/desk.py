"""The alerts of one daemon, from an event to the messages.

Owns the order of things and the lock. Whoever records an event waits for no
disk and no network here: files are the writer's affair, sending the outboxes'.

    event -> rules -> book -> messages -> one outbox a sink
    repeat() (by the schedule): restarts and backups are judged, what is due is told again
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from ia0_daemon.alerts.book import Book, Pace
from ia0_daemon.alerts.conditions import Disk, backup_stale, low_disks, restart_loop
from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.outbox import Outbox
from ia0_daemon.alerts.rules import SEEN_AGAIN, Alert, Change, changes
from ia0_daemon.alerts.sink import Sink, sinks_of
from ia0_daemon.alerts.trial import try_sinks
from ia0_daemon.settings.schema import Alerts, Settings
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.event_metrics import EventMetrics
from ia0_daemon.supervisor.event_rows import Wanted
from ia0_daemon.supervisor.event_store import EventStore
from ia0_daemon.supervisor.events import Event

# How long an alert from before the daemon's restart waits to be seen again.
SEE_AGAIN = timedelta(minutes=10)
# More restarts than any `restart_loop_count` looks at.
MOST_RESTARTS = 1000
# How long a stopping daemon waits for each sink to take what waits, in seconds.
STOP_S = 3.0

Now = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class AlertDesk:
    """Listens to the events of a store and tells the sinks."""

    def __init__(
        self,
        settings: Settings,
        store: EventStore,
        metrics: EventMetrics,
        now: Now = _now,
        sinks: Callable[[Alerts], Iterable[Sink]] = sinks_of,
        newest_backup: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`newest_backup` tells of backups that no event told of: those that a command made."""
        self._settings, self._store, self._metrics = settings, store, metrics
        self._now, self._sinks, self._newest_backup = now, sinks, newest_backup
        self._lock = threading.Lock()
        self._book = Book(_pace(settings.alerts))
        self._started = now()
        self._unseen: frozenset[str] = frozenset()
        self._restarts: deque[datetime] = deque(maxlen=MOST_RESTARTS)
        self._backup: datetime | None = None
        self._disks_low = False
        self._failing: set[str] = set()
        self._outboxes: list[Outbox] = []

    def start(self) -> None:
        """Go on with what the history holds, and listen."""
        rows = self._store.load_alerts()
        self._book = Book(_pace(self._settings.alerts), rows)
        self._unseen = frozenset(row.name for row in rows) & SEEN_AGAIN
        self._disks_low = Alert.DISK_LOW in self._unseen
        for row in self._store.read(Wanted(kinds=(Kind.RESTART_STARTED,), limit=MOST_RESTARTS)):
            self._restarts.appendleft(datetime.fromisoformat(row.event.at))
        for row in self._store.read(Wanted(kinds=(Kind.BACKUP_MADE,), limit=1)):
            self._backup = datetime.fromisoformat(row.event.at)
        # One from before a failure does not end the failure's alert.
        self._backup = self._newest_backup() or self._backup
        self._outboxes = self._opened()
        self._publish()
        self._store.subscribe(self.on_event)

    def stop(self) -> None:
        """Let the sinks take what can be sent at once, and end."""
        for outbox in self._outboxes:
            outbox.stop(STOP_S)

    def apply(self, settings: Settings) -> None:
        """Go on with other settings, as a reload does; messages that wait go to the new sinks."""
        with self._lock:
            old, self._settings = self._settings, settings
            self._book.pace = _pace(settings.alerts)
            if old.alerts == settings.alerts:
                return
            before, self._outboxes = self._outboxes, self._opened()
            self._failing.clear()
            waiting = {message.alert: message for outbox in before for message in outbox.stop(0)}
            self._put(waiting.values())

    def on_event(self, event: Event) -> None:
        """Take note of an event; returns at once."""
        if event.kind == Kind.RESTART_STARTED:
            self._restarts.append(datetime.fromisoformat(event.at))
        elif event.kind == Kind.BACKUP_MADE:
            self._backup = datetime.fromisoformat(event.at)
        found = [*changes(event)]
        if event.kind in {Kind.RESTART_STARTED, Kind.BACKUP_MADE}:
            found += self._judged()
        if found:
            self._change(found)

    def repeat(self) -> None:
        """Judge what time alone changes, and tell what is due; meant to be called every 15 seconds or so."""
        self._change([*self._made_elsewhere(), *self._judged(), *self._not_seen_again()])

    def watch_disks(self, disks: Iterable[Disk]) -> None:
        """Record an event where a watched disk became full, or has room again."""
        low = low_disks(disks, self._settings.alerts.disk_free_percent, self._disks_low)
        if bool(low) == self._disks_low:
            return
        self._disks_low = bool(low)
        told = ", ".join(f"{path} has {free:g} %" for path, free in low.items())
        if low:
            self._store.record(
                Event.now(Kind.DISK_LOW, f"Little room is left: {told} free.", free_percent=low)
            )
        else:
            self._store.record(Event.now(Kind.DISK_OK, "The watched disks have room again."))

    def test(self) -> list[dict[str, object]]:
        """Send a test alert to every sink, once each, and wait for what comes back."""
        return try_sinks(sinks_of(self._settings.alerts, attempts=1))

    def commands(self) -> Mapping[str, Callable[[dict[str, object]], object]]:
        """The commands of the control socket."""
        return {"alerts_test": lambda _: self.test()}

    def _judged(self) -> list[Change]:
        now, alerts = self._now(), self._settings.alerts
        limit = alerts.backup_age_s or 2 * self._settings.backup.interval_s
        window = timedelta(seconds=alerts.restart_loop_window_s)
        return [
            restart_loop([*self._restarts], now, alerts.restart_loop_count, window),
            backup_stale(self._backup, self._started, now, timedelta(seconds=limit)),
        ]

    def _made_elsewhere(self) -> list[Change]:
        """A backup that was made without this daemon ends what this daemon's own failure began."""
        made = self._newest_backup()
        if made is None or (self._backup is not None and made <= self._backup):
            return []
        self._backup = made
        return [Change(Alert.BACKUP_FAILED, False, "A backup was made.")]

    def _not_seen_again(self) -> list[Change]:
        if self._now() - self._started < SEE_AGAIN:
            return []
        unseen, self._unseen = self._unseen, frozenset()
        return [Change(Alert(name), False, "Not seen again since the daemon was started.") for name in unseen]

    def _change(self, found: Iterable[Change]) -> None:
        """Into the book and, under the same lock, into the outboxes: in the order of what happened."""
        now, messages = self._now(), []
        with self._lock:
            before = self._book.rows
            for change in found:
                if change.firing:
                    self._unseen -= {change.alert}
                messages += self._book.change(change, now)
            messages += self._book.due(now)
            self._put(messages)
            if self._book.rows != before:
                self._publish()
        for message in messages:
            self._record(message)

    def _put(self, messages: Iterable[Message]) -> None:
        for message in messages:
            for outbox in self._outboxes:
                outbox.put(message)

    def _publish(self) -> None:
        rows = self._book.rows
        self._store.save_alerts(rows)
        firing = {row.name for row in rows}
        for alert in Alert:
            self._metrics.firing.labels(alert.value).set(alert.value in firing)

    def _record(self, message: Message) -> None:
        """The history tells what was told; a repetition is no news."""
        if message.status == "firing":
            event = Event.now(Kind.ALERT_FIRING, message.summary, message.severity, alert=message.alert)
            self._store.record(event)
        elif message.status == "resolved":
            self._store.record(Event.now(Kind.ALERT_RESOLVED, message.summary, alert=message.alert))

    def _opened(self) -> list[Outbox]:
        outboxes = [Outbox(sink, self._told) for sink in self._sinks(self._settings.alerts)]
        for outbox in outboxes:
            outbox.start()
        return outboxes

    def _told(self, sink: str, message: Message, error: str | None) -> None:
        """Count; record the first failure and the first success after it: a dead sink makes no flood."""
        self._metrics.messages.labels(sink, "delivered" if error is None else "failed").inc()
        with self._lock:
            news = (error is None) == (sink in self._failing)
            self._failing ^= {sink} if news else set()
        if not news:
            return
        if error is None:
            self._store.record(Event.now(Kind.ALERT_RECOVERED, f"The {sink} takes alerts again.", sink=sink))
            return
        summary = f"The {sink} could not be told of {message.alert}: {error}. It is tried again."
        self._store.record(Event.now(Kind.ALERT_FAILED, summary, sink=sink, alert=message.alert, error=error))


def _pace(alerts: Alerts) -> Pace:
    hold = {Alert.ENGINE_DOWN: timedelta(seconds=alerts.engine_down_after_s)}
    return Pace(timedelta(seconds=alerts.repeat_s), hold)
