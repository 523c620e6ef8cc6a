"""The threads that answer requests: who was busy last is the first to be busy again.

Owns the threads and the tasks that wait for one. Never knows what a task does.

    add_task -> an idle thread, a new one, or the queue -> task.service() -> idle again

waitress' own pool hands a task to the thread that has been idle for longest, so that all of them take turns:
with 144 threads each task then finds a cold one. Here a few stay warm and the others are not even started
before they are needed; all of them run on one core where that is better (`one_core.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ia0_daemon.gateway.one_core import OneCore

log = logging.getLogger(__name__)


class Task(Protocol):
    """What waitress calls a task: a connection with a request to answer."""

    def service(self) -> None:
        """Answer it."""

    def cancel(self) -> None:
        """Give it up before it was begun."""


class _Worker:
    """One thread's place to wait at."""

    __slots__ = ("_wake", "task")

    def __init__(self, task: Task) -> None:
        self.task: Task | None = task
        self._wake = threading.Lock()
        self._wake.acquire()

    def hand(self, task: Task | None) -> None:
        self.task = task
        self._wake.release()

    def wait(self) -> None:
        self._wake.acquire()


class Workers:
    """A pool of at most so many threads, with the methods that waitress asks of one."""

    def __init__(self, most: int, core: OneCore | None = None) -> None:
        """`core`: where they run; without it wherever the system puts them."""
        self._most, self._core = most, core
        self._threads: set[threading.Thread] = set()
        self._idle: list[_Worker] = []
        self._queue: deque[Task] = deque()
        self._stopping = False
        self._lock = threading.Lock()

    @property
    def started(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    def add_task(self, task: Task) -> None:
        """Have a task done as soon as a thread is free."""
        with self._lock:
            if self._idle:
                self._idle.pop().hand(task)
            elif len(self._threads) < self._most and not self._stopping:
                self._start(task)
            else:
                self._queue.append(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End the threads once each has done its task; what still waits is cancelled. Seconds."""
        with self._lock:
            self._stopping = True
            idle, self._idle = self._idle, []
            pending, self._queue = (self._queue, deque()) if cancel_pending else (deque(), self._queue)
            threads = list(self._threads)
        for worker in idle:
            worker.hand(None)
        until = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        for task in pending:
            task.cancel()
        return bool(pending)

    def _start(self, task: Task) -> None:
        thread = threading.Thread(target=self._run, args=(_Worker(task),), daemon=True)
        thread.name = f"worker-{len(self._threads)}"
        try:
            thread.start()
        except RuntimeError as error:
            self._do_without(task, error)
        else:
            self._threads.add(thread)

    def _do_without(self, task: Task, error: RuntimeError) -> None:
        """Have one of the others do it, where the system gives no further thread."""
        if not self._threads:
            raise error
        self._queue.append(task)
        told = {"event": "no_thread", "threads": len(self._threads), "most": self._most}
        log.warning("a request waits for a thread: %s (TasksMax= of a unit, ulimit -u)", error, extra=told)

    def _run(self, worker: _Worker) -> None:
        if self._core is not None:
            self._core.join()
        while worker.task is not None:
            self._serve(worker.task)
            self._next(worker)
        if self._core is not None:
            self._core.leave()
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _next(self, worker: _Worker) -> None:
        """Take what waits, or wait; nothing to do means to end."""
        with self._lock:
            worker.task = self._queue.popleft() if self._queue else None
            waits = worker.task is None and not self._stopping
            if waits:
                self._idle.append(worker)
        if waits:
            worker.wait()

    def _serve(self, task: Task) -> None:
        try:
            task.service()
        except Exception:
            # The edge of the thread: whatever a task's defect is, the next one finds the thread alive.
            log.exception("a task failed")
