"""The one thread that writes the history.

Owns the queue, the connection and what is done when the file cannot be written.
Never raises and never makes a caller wait: what cannot be queued is counted.

    put(event) -> queue -> [open] -> insert -> prune a step -> ...
                              |
                              corrupt: move aside, begin anew; anything else: say it once, keep, try again

Events that came while the file could not be written are kept, up to `MOST_KEPT`,
and written once it can be again. A death of the process costs what was not yet
written: microseconds after `put`, as a rule.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ia0_daemon.clock import rfc3339
from ia0_daemon.supervisor.event_database import Refused, is_corrupt, move_aside, open_for_writing
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.event_rows import AlertRow, Keep, insert, prune, replace_alerts
from ia0_daemon.supervisor.events import Event

log = logging.getLogger(__name__)

MOST_QUEUED = 1000
MOST_KEPT = 1000
# A batch is one transaction; more in one would make the first of them wait.
MOST_AT_ONCE = 200
# How often a file that cannot be written is tried again where no event comes, in seconds.
RETRY_S = 10.0
# After how many written events the bounds of the history are looked at.
PRUNE_EVERY = 100

Say = Callable[[Event], None]
Lost = Callable[[str, int], None]


class Flush:
    """A mark in the queue: everything before it was written, or was not."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.written = False


class _Stop(Flush):
    """The mark behind which nothing comes."""


class _Prune:
    """Look at the bounds now."""


Item = Event | tuple[AlertRow, ...] | Flush | _Prune


class EventWriter:
    """Writes what is put into its queue, in the order in which it came."""

    def __init__(self, path: Path, keep: Keep, say: Say, lost: Lost) -> None:
        self.keep = keep
        self._path = path
        self._say, self._lost = say, lost
        self._queue: queue.Queue[Item] = queue.Queue(MOST_QUEUED)
        self._pending: deque[Event] = deque()
        self._alerts: tuple[AlertRow, ...] | None = None
        self._marks: list[Flush] = []
        self._since_prune = PRUNE_EVERY
        self._failing = ""
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Open the file and begin to write, on the thread."""
        self._thread.start()

    def put(self, item: Item) -> bool:
        """Queue something; False if there is no room."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            return False
        return True

    def prune(self) -> None:
        """Bring the history within its bounds, soon."""
        self.put(_Prune())

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything that was put before is written; False if it was not in time."""
        mark = Flush()
        return self.put(mark) and mark.done.wait(timeout_s) and mark.written

    def stop(self, timeout_s: float) -> None:
        """Write what is queued, close the file, end; the process may go on without it after `timeout_s`."""
        if self._thread.is_alive():
            self.put(_Stop())
            self._thread.join(timeout_s)

    def _run(self) -> None:
        self._write()
        while True:
            self._gather()
            self._write()
            if self._answer_marks():
                break
        self._close()

    def _gather(self) -> None:
        """Wait for the next item, and take what else is there."""
        try:
            self._sort(self._queue.get(timeout=self._patience()))
            for _ in range(MOST_AT_ONCE):
                self._sort(self._queue.get_nowait())
        except queue.Empty:
            return

    def _patience(self) -> float | None:
        """How long the thread may sleep: not at all while it prunes."""
        if self._failing:
            return RETRY_S
        return 0.001 if self._since_prune >= PRUNE_EVERY else None

    def _sort(self, item: Item) -> None:
        if isinstance(item, Event):
            self._pending.append(item)
        elif isinstance(item, tuple):
            self._alerts = item
        elif isinstance(item, Flush):
            self._marks.append(item)
        else:
            self._since_prune = PRUNE_EVERY

    def _write(self) -> None:
        try:
            try:
                self._attempt()
            except sqlite3.Error as error:
                if not is_corrupt(error):
                    raise
                self._begin_anew(error)
                self._attempt()
        except (sqlite3.Error, Refused, OSError) as error:
            self._fail(error)
        except Exception:  # the edge of this thread: one event's defect must not end the history
            log.exception("events could not be written and are given up")
            self._lost("history_broken", len(self._pending))
            self._pending.clear()
            self._alerts = None
        else:
            self._succeed()

    def _attempt(self) -> None:
        """Write all that waits. What was written is forgotten only behind the commit."""
        connection = self._open()
        if self._pending:
            insert(connection, self._pending)
            self._since_prune += len(self._pending)
            self._pending.clear()
        if self._alerts is not None:
            replace_alerts(connection, self._alerts)
            self._alerts = None
        if self._since_prune >= PRUNE_EVERY and not prune(connection, self.keep.count, self._oldest()):
            self._since_prune = 0

    def _open(self) -> sqlite3.Connection:
        """The open file; opened anew where another lies in its place, as after a restore."""
        if self._connection is not None and self._identity() != self._opened:
            log.warning("the history's file was replaced or deleted: %s", self._path)
            self._close()
        if self._connection is None:
            self._connection = open_for_writing(self._path)
            self._opened = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _oldest(self) -> str:
        return rfc3339(datetime.now(UTC) - timedelta(seconds=self.keep.age_s))

    def _begin_anew(self, error: sqlite3.Error) -> None:
        self._close()
        aside = move_aside(self._path)
        summary = f"The history was damaged; it was moved to {aside} and a new one was begun."
        self._failing = str(error)
        self._say(Event.now(Kind.EVENT_STORE_BROKEN, summary, error=str(error), moved_to=str(aside)))

    def _fail(self, error: Exception) -> None:
        """Say it once, keep the newest, and close: whatever comes next may be another file."""
        self._close()
        dropped = max(0, len(self._pending) - MOST_KEPT)
        for _ in range(dropped):
            self._pending.popleft()
        if dropped:
            self._lost("history_broken", dropped)
        if not self._failing:
            self._failing = str(error) or type(error).__name__
            summary = f"The history cannot be written: {self._failing}. Events go on into the log."
            self._say(Event.now(Kind.EVENT_STORE_BROKEN, summary, error=repr(error), path=str(self._path)))

    def _succeed(self) -> None:
        if self._failing:
            error, self._failing = self._failing, ""
            self._say(Event.now(Kind.EVENT_STORE_OK, "The history is written again.", was=error))

    def _answer_marks(self) -> bool:
        """Tell those who wait; True if one of them was the last."""
        marks, self._marks = self._marks, []
        for mark in marks:
            mark.written = not self._pending
            mark.done.set()
        return any(isinstance(mark, _Stop) for mark in marks)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except sqlite3.Error as error:
            log.debug("the history did not close: %s", error)
