import socket
import threading

import pytest

from ia0_daemon.embedded.cancellation import Context, HangupWatcher
from ia0_daemon.embedded.failures import Cancelled


def test_everybody_who_asked_is_told_once() -> None:
    context, told = Context(), list[str]()
    with context.on_cancel(lambda: told.append("told")):
        context.cancel()
        context.cancel()
    assert told == ["told"]
    with pytest.raises(Cancelled):
        context.check()


def test_who_has_left_the_block_is_not_told() -> None:
    context, told = Context(), list[str]()
    with context.on_cancel(lambda: told.append("told")):
        pass
    context.cancel()
    assert told == []


def test_who_comes_late_is_told_at_once() -> None:
    context, told = Context(), list[str]()
    context.cancel()
    with context.on_cancel(lambda: told.append("told")):
        assert told == ["told"]


def test_a_caller_who_hangs_up_cancels_the_request() -> None:
    watcher, context = HangupWatcher(), Context()
    here, there = socket.socketpair()
    with here, watcher.watching(here, context):
        there.close()
        assert context.wait(10)


def test_bytes_that_are_not_read_yet_do_not_hide_the_hang_up() -> None:
    watcher, context = HangupWatcher(), Context()
    here, there = socket.socketpair()
    with here, watcher.watching(here, context):
        there.sendall(b"GET / HTTP/1.1")
        there.close()
        assert context.wait(10)


def test_a_caller_who_only_sends_more_does_not_cancel() -> None:
    watcher, context, other = HangupWatcher(), Context(), Context()
    here, there = socket.socketpair()
    second, partner = socket.socketpair()
    with here, there, second, watcher.watching(here, context), watcher.watching(second, other):
        there.sendall(b"more")
        partner.close()  # the watcher has seen everything before this
        assert other.wait(10)
        assert not context.cancelled


def test_waiting_ends_with_the_cancellation() -> None:
    context = Context()
    threading.Timer(0.01, context.cancel).start()
    assert context.wait(10)


def test_a_late_report_of_a_closed_connection_does_not_end_the_one_that_got_its_number() -> None:
    watcher, context = HangupWatcher(), Context()
    here, there = socket.socketpair()
    with here, there, watcher.watching(here, context):
        watcher._tell(here.fileno())
        assert not context.cancelled
