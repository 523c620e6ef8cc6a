"""Transfers of models that are under way."""

from __future__ import annotations

from contextlib import ExitStack

from ia0_daemon.gateway.pulls import Pulls


def test_a_pull_counts_until_its_request_ends() -> None:
    pulls = Pulls()
    first, second = ExitStack(), ExitStack()
    pulls.begin(first)
    pulls.begin(second)
    first.close()
    assert pulls.is_pulling()
    second.close()
    assert not pulls.is_pulling()
