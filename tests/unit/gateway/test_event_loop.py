"""A connection is watched for what it waits for, whoever changes it."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from ia0_daemon.gateway.event_loop import Loop, Watched


class Thing:
    """A connection that waits for what the test says."""

    accepting = False

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self._fileno = sock, sock.fileno()
        self.reads, self.writes = True, False
        self.interest = 0
        self.happened: list[str] = []

    def readable(self) -> bool:
        return self.reads

    def writable(self) -> bool:
        return self.writes

    def handle_read_event(self) -> None:
        self.happened.append("read")
        self.sock.recv(100)

    def handle_write_event(self) -> None:
        self.happened.append("write")
        self.writes = False


class Case:
    """A loop, a connection, and its other end."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.thing = Thing(ours)
        self.watched = Watched()
        self.watched[self.thing._fileno] = self.thing
        self.woken = 0
        self.upkeeps: list[float] = []
        self.loop = Loop(self.watched, self.wake, self.upkeeps.append)

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def case() -> Iterator[Case]:
    made = Case()
    yield made
    made.watched.close()
    made.theirs.close()
    made.thing.sock.close()


def test_what_has_come_is_read(case: Case) -> None:
    case.loop.turn(0)
    assert case.thing.happened == []
    case.theirs.send(b"x")
    case.loop.turn(1)
    assert case.thing.happened == ["read"]


def test_a_worker_thread_that_changes_nothing_wakes_nobody(case: Case) -> None:
    case.loop.serving(case.thing)
    case.loop.wake()
    assert case.woken == 0


def test_a_worker_thread_that_leaves_something_to_write_has_it_written(case: Case) -> None:
    case.loop.serving(case.thing)
    case.thing.writes = True
    case.loop.wake()
    case.loop.turn(0)  # asks it
    case.loop.turn(1)
    assert (case.woken, case.thing.happened) == (1, ["write"])
    assert case.thing.interest == select.EPOLLIN


def test_others_than_worker_threads_wake_it_always(case: Case) -> None:
    case.loop.wake()
    case.loop.serving(case.thing)
    case.loop.serving(None)
    case.loop.wake()
    assert case.woken == 2


def test_a_change_in_the_middle_of_being_asked_is_not_lost(case: Case) -> None:
    class Hasty(Thing):
        """Changes just when it has said what it waits for."""

        def writable(self) -> bool:
            self.reads = True
            return False

    hasty = Hasty(case.theirs)
    case.watched[hasty._fileno] = hasty
    hasty.reads = False
    case.watched.ask(hasty)
    case.thing.sock.send(b"x")
    case.loop.turn(1)
    assert hasty.happened == ["read"]


def test_who_is_closed_in_a_turn_is_not_served_in_it(case: Case) -> None:
    class Closing(Thing):
        """Takes the other one away."""

        def handle_read_event(self) -> None:
            super().handle_read_event()
            for other in (case.thing, self):
                del case.watched[other._fileno]
                other._fileno = -1 if other is self else other._fileno
            case.thing._fileno = None  # type: ignore[assignment]  # as waitress marks it

    closing = Closing(case.theirs)
    case.watched[closing._fileno] = closing
    case.thing.sock.send(b"x")
    case.loop.turn(1)
    assert case.thing.happened == []


def test_upkeep_is_done_when_it_is_due(case: Case) -> None:
    case.loop.turn(0)
    assert case.upkeeps == []
    case.loop._upkeep_at = 0
    case.loop.turn(0)
    case.loop.turn(0)
    assert len(case.upkeeps) == 1


def test_a_defect_of_the_upkeep_does_not_end_it(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: float) -> None:
        del case.watched[case.thing._fileno]  # so that the loop ends
        raise ValueError("a defect")

    loop = Loop(case.watched, case.wake, fail)
    loop._upkeep_at = 0
    loop.run()
    assert "a defect" in caplog.text


def test_it_ends_when_nothing_is_watched_any_more(case: Case) -> None:
    del case.watched[case.thing._fileno]
    case.loop.run()
