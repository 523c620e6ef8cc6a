"""Who hangs up is noticed, and nobody is taken for somebody else."""

from __future__ import annotations

import socket

from ia0_daemon.embedded.cancellation import Context, HangupWatcher


def test_a_caller_who_hangs_up_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    context = Context()
    with ours, HangupWatcher().watching(ours, context):
        theirs.close()
        assert context.wait(30)


def test_a_late_report_of_a_closed_connection_does_not_end_the_one_that_got_its_number() -> None:
    ours, theirs = socket.socketpair()
    context, watcher = Context(), HangupWatcher()
    with ours, theirs, watcher.watching(ours, context):
        watcher._tell(ours.fileno())
        assert not context.cancelled
