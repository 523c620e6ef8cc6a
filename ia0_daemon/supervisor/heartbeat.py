"""The daemon's own proof of life, for a watchdog outside.

    every interval: was a tick recent? -> does the real listener answer /health/live? -> beat

A thread that merely runs proves nothing: a supervisor that hangs and a listener
that starves must both stop the beat. Owns the beat's conditions; what a beat
does is given (systemd's watchdog comes with the roles for GPU hosts).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import requests

from ia0_daemon.errors import Overloaded

log = logging.getLogger(__name__)

# How long /health/live may take; it does nothing but answer.
ANSWER_TIMEOUT_S = 5.0


class Heartbeat:
    """Beats while supervisor and listener are alive."""

    def __init__(
        self,
        live_url: str,
        ticked_at: Callable[[], float],
        beat: Callable[[], None],
        interval_s: float,
        tick_within_s: float,
    ) -> None:
        self._url, self._ticked_at, self._beat = live_url, ticked_at, beat
        self._interval_s, self._tick_within_s = interval_s, tick_within_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._session = requests.Session()
        self._session.trust_env = False
        self.beat_at = float("-inf")
        """Monotonic seconds of the latest beat."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def pace(self, interval_s: float, tick_within_s: float) -> None:
        """Change how often it beats, and how old a tick may be, as a reload does."""
        self._interval_s, self._tick_within_s = interval_s, tick_within_s

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_TIMEOUT_S)
        self._session.close()

    def try_once(self) -> str:
        """Beat, or give the reason why not."""
        reason = self._obstacle()
        if reason:
            log.warning("no heartbeat", extra={"event": "heartbeat_missed", "reason": reason})
            return reason
        self._beat()
        self.beat_at = time.monotonic()
        return ""

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self.try_once()

    def _obstacle(self) -> str:
        age_s = time.monotonic() - self._ticked_at()
        if age_s > self._tick_within_s:
            return f"the last memory sample is {age_s:.0f} s old; {self._tick_within_s:g} s are allowed"
        try:
            with self._session.get(self._url, timeout=ANSWER_TIMEOUT_S) as answer:
                is_well = answer.status_code == 200 or _is_full(answer)
                return "" if is_well else f"{self._url} says {answer.status_code}"
        except requests.RequestException as error:
            return f"{self._url} does not answer: {error}"


def _is_full(answer: requests.Response) -> bool:
    """Whether the listener turned this away for want of a place: it lives, and a restart would not help.

    The heart keeps its connection, so this is met only where that was lost in the crowd.
    """
    try:
        return bool(answer.json()["code"] == Overloaded.code)
    except (requests.JSONDecodeError, KeyError, TypeError):
        return False
