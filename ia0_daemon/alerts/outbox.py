"""Messages on their way to one sink, on a thread of their own.

Owns waiting, trying again and giving up. Never blocks whoever puts a message
and never lets a dead sink grow its queue: there is room for one message an
alert, and a newer one takes the older's place.

    put(message) -> wait for the thread -> sink.send -> told; failed -> again later, the newest words
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.sink import Sink
from ia0_daemon.alerts.sink_error import SinkError

log = logging.getLogger(__name__)

# How long after a failure the sink is tried again: doubled up to the longest, in seconds.
FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 900.0

# sink's name, message, error or None where it was delivered
Told = Callable[[str, Message, str | None], None]


class Outbox:
    """One sink's messages."""

    def __init__(self, sink: Sink, told: Told, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self._sink = sink
        self._told = told
        self._first_pause_s = first_pause_s
        self._waiting: dict[str, Message] = {}
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"alerts-{sink.name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, message: Message) -> None:
        """Send a message soon, in place of an older one of the same alert that waits still."""
        with self._changed:
            self._waiting.pop(message.alert, None)
            self._waiting[message.alert] = message
            self._changed.notify_all()

    def stop(self, timeout_s: float) -> list[Message]:
        """End, once what can be sent at once is sent; gives what was not."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        with self._changed:
            return list(self._waiting.values())

    def _run(self) -> None:
        pause_s = 0.0
        while (message := self._next(pause_s)) is not None:
            error = self._send(message)
            if error is None:
                pause_s = 0.0
                self._drop(message)
            else:
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2 or self._first_pause_s)
            self._told(self._sink.name, message, error)

    def _next(self, pause_s: float) -> Message | None:
        """The oldest message that waits, after the pause; None when it is time to end."""
        with self._changed:
            if pause_s:
                self._changed.wait_for(lambda: self._stopping, pause_s)
                if self._stopping:
                    return None  # a sink that has just failed is not waited for
            self._changed.wait_for(lambda: self._stopping or bool(self._waiting))
            return next(iter(self._waiting.values()), None)

    def _send(self, message: Message) -> str | None:
        try:
            answer = self._sink.send(message)
        except SinkError as error:
            return str(error)
        except Exception as error:  # the edge of this thread: a defect must not end all further alerts
            log.exception("the %s failed inside the daemon", self._sink.name)
            return type(error).__name__
        log.debug("alert %s: %s", message.alert, answer)
        return None

    def _drop(self, message: Message) -> None:
        """Forget what was delivered, unless a newer one has taken its place meanwhile."""
        with self._changed:
            if self._waiting.get(message.alert) is message:
                del self._waiting[message.alert]
