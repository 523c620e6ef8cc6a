"""Keeps the threads that answer requests on one core, as long as it has room for them.

The interpreter lets one of them run at a time. Spread over several cores, each
hand-over of its lock wakes another core, which takes longer than most of what is
done between two of them: on one core a request costs a quarter less
(docs/performance.md). A core that others use as well is worse than several, so
somebody has to look.

    join (each thread)      once a second: look -> how busy are the cores? -> choose -> all threads go there

Owns the choice and the threads' affinity. Never starts a thread. Where the
system does not let it, all stays as it was.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

# Shares of a core's time: where others take more than the first it is left, where they take no more than the
# second it is taken.
CROWDED, QUIET = 0.3, 0.2
# Under which number the process itself stands beside the cores.
OWN = -1


class OneCore:
    """Where the threads that have joined may run: on one core, or on each that the process may use."""

    def __init__(self, seconds: Callable[[], Mapping[int, float]] | None = None) -> None:
        """`seconds`: for how long each core has been busy, and under OWN this process."""
        self._allowed = os.sched_getaffinity(0)
        self._seconds = seconds or _seconds_busy
        self._lock = threading.Lock()
        self._threads: set[int] = set()
        self._is_denied = len(self._allowed) < 2
        self._last: tuple[float, Mapping[int, float]] = (time.monotonic(), self._seconds())
        self.core: int | None = None
        """The core; none: they are spread over all."""

    def join(self) -> None:
        """Have the calling thread run where the others do."""
        with self._lock:
            self._threads.add(threading.get_native_id())
            self._put([threading.get_native_id()])

    def leave(self) -> None:
        """Forget the calling thread, which ends."""
        with self._lock:
            self._threads.discard(threading.get_native_id())

    def look(self, now: float) -> None:
        """Choose anew by what has happened since the last look. Monotonic seconds."""
        since, before = self._last
        seconds = self._seconds()
        self._last = (now, seconds)
        if self._is_denied or now <= since or not self._allowed <= seconds.keys():
            return
        share = {core: (seconds[core] - before.get(core, 0.0)) / (now - since) for core in seconds}
        core = choose(self.core, {core: share[core] for core in self._allowed}, share[OWN])
        if core != self.core:
            with self._lock:
                self.core = core
                self._put(self._threads)

    def _put(self, threads: set[int] | list[int]) -> None:
        cores = self._allowed if self.core is None else {self.core}
        for thread in threads:
            try:
                os.sched_setaffinity(thread, cores)
            except ProcessLookupError:
                continue  # it has just ended
            except OSError as error:
                self._is_denied, self.core = True, None
                log.debug("threads stay where they are: %s", error)
                return


def choose(current: int | None, busy: Mapping[int, float], own: float) -> int | None:
    """Give the core to be on, or none for all of them.

    `busy`: the share of the time that each core was busy; `own`: of one core's time, what this process took.
    """
    if current is not None and busy[current] - own <= CROWDED:
        return current
    quietest = min(busy, key=lambda core: (busy[core], core))
    # Spread over all of them, this process makes each look busy; then what others take in all says enough.
    has_room = current is None and sum(busy.values()) - own <= CROWDED
    return quietest if has_room or busy[quietest] <= QUIET else None


def _seconds_busy() -> dict[int, float]:
    """Give for how long each core has been busy since the start, and this process [/proc/stat, by psutil]."""
    cores = enumerate(psutil.cpu_times(percpu=True))
    # A guest's time is within the user's.
    busy = {core: t.user + t.nice + t.system + t.irq + t.softirq + t.steal for core, t in cores}
    return {**busy, OWN: time.process_time()}
