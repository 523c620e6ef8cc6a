"""The threads that answer: who is busy, who waits, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from ia0_daemon.gateway.workers import Workers


class Job:
    """A task that runs a function, and remembers the thread that did it."""

    def __init__(self, action: Callable[[], object] = bool) -> None:
        self._action = action
        self.thread = ""
        self.done = threading.Event()
        self.cancelled = False

    def service(self) -> None:
        self.thread = threading.current_thread().name
        try:
            self._action()
        finally:
            self.done.set()

    def cancel(self) -> None:
        self.cancelled = True

    def wait(self) -> str:
        assert self.done.wait(10)
        return self.thread


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(3)
    yield workers
    workers.shutdown()


def idle(workers: Workers, number: int) -> None:
    """Wait until so many threads are idle."""
    while len(workers._idle) < number:
        threading.Event().wait(0.001)


def test_no_thread_is_started_before_it_is_needed(workers: Workers) -> None:
    assert workers.started == 0
    for _ in range(20):
        job = Job()
        workers.add_task(job)
        job.wait()
        idle(workers, 1)
    assert workers.started == 1


def test_where_the_system_gives_no_further_thread_the_others_do_the_task(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()
    first, second = Job(go_on.wait), Job()
    workers.add_task(first)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    workers.add_task(second)
    go_on.set()
    assert second.wait() == first.wait()
    assert workers.started == 1
    assert [vars(record)["event"] for record in caplog.records] == ["no_thread"]


def test_tasks_at_the_same_time_have_threads_of_their_own(workers: Workers) -> None:
    meet = threading.Barrier(3, timeout=10)
    jobs = [Job(meet.wait) for _ in range(3)]
    for job in jobs:
        workers.add_task(job)
    assert len({job.wait() for job in jobs}) == 3


def test_the_thread_that_was_busy_last_is_busy_next(workers: Workers) -> None:
    go = [threading.Event() for _ in range(2)]
    first, second = (Job(event.wait) for event in go)
    workers.add_task(first)
    workers.add_task(second)
    for number, event in enumerate(go, 1):
        event.set()
        idle(workers, number)
    third = Job()
    workers.add_task(third)
    assert third.wait() == second.wait()


def test_more_tasks_than_threads_wait(workers: Workers) -> None:
    go = threading.Event()
    for _ in range(3):
        workers.add_task(Job(go.wait))
    waiting = Job()
    workers.add_task(waiting)
    assert (workers.started, waiting.done.wait(0.05)) == (3, False)
    go.set()
    assert waiting.wait()


def test_a_task_that_fails_leaves_its_thread_alive(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("a defect")

    workers.add_task(Job(fail))
    idle(workers, 1)
    job = Job()
    workers.add_task(job)
    job.wait()
    assert workers.started == 1
    assert "a task failed" in caplog.text


def test_shutdown_ends_the_threads_and_cancels_what_waits(workers: Workers) -> None:
    go = threading.Event()
    busy = [Job(go.wait) for _ in range(3)]
    waiting = Job()
    for job in [*busy, waiting]:
        workers.add_task(job)
    threading.Timer(0.05, go.set).start()
    assert workers.shutdown(timeout=10)
    assert (workers.started, waiting.cancelled, waiting.done.is_set()) == (0, True, False)


def test_nothing_is_begun_after_shutdown(workers: Workers) -> None:
    workers.shutdown()
    job = Job()
    workers.add_task(job)
    assert (workers.started, job.done.is_set()) == (0, False)
