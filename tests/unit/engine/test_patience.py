"""What ends a wait for the engine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from msgspec.json import encode

from ia0_daemon.engine.connection import PlainConnection
from ia0_daemon.engine.patience import LOOK_INTERVAL_S, WAITING_FOR, Patience
from ia0_daemon.errors import CallerGone, EngineTimeout
from ia0_daemon.settings.units import Seconds

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@pytest.mark.parametrize("name", WAITING_FOR)
def test_each_bound_ends_a_silence_and_names_its_setting(pair: Pair, name: str) -> None:
    patience = Patience(bool)
    patience.bound(name, Seconds(0.05), "engine.some_timeout_s")
    with pytest.raises(EngineTimeout, match=r"engine\.some_timeout_s allows no more") as caught:
        _wait(patience, pair[0])
    assert caught.value.details == {"bound": name, "limit_s": 0.05, "setting": "engine.some_timeout_s"}
    assert patience.waited_s > 0.04  # the bound began a moment before the wait
    assert encode(caught.value.body()), "the settings' own type cannot be written as JSON"


def test_what_is_there_is_not_waited_for(pair: Pair) -> None:
    patience = Patience(bool)
    patience.bound("load", 5, "")
    pair[1].send(b"x")
    _wait(patience, pair[0])
    assert patience.waited_s < 1


def test_a_closed_connection_ends_the_wait(pair: Pair) -> None:
    patience = Patience(bool)
    patience.bound("load", 5, "")
    pair[1].close()
    _wait(patience, pair[0])


def test_a_caller_who_leaves_during_a_silence_is_noticed(pair: Pair) -> None:
    left = threading.Event()
    patience = Patience(left.is_set)
    patience.bound("between_tokens", 60, "")
    threading.Timer(0.05, left.set).start()
    with pytest.raises(CallerGone):
        _wait(patience, pair[0])


def test_a_caller_who_leaves_is_noticed_though_the_engine_is_never_silent(pair: Pair) -> None:
    left = threading.Event()
    patience = Patience(left.is_set)
    patience.bound("between_tokens", 60, "")
    pair[1].send(b"x")
    assert _wait(patience, pair[0]) == b"x"
    left.set()
    with pytest.raises(CallerGone):
        _wait_again_and_again(patience)


def test_an_engine_that_trickles_without_a_token_does_not_outlast_the_bound() -> None:
    patience = Patience(bool)
    patience.bound("first_token", LOOK_INTERVAL_S, "")
    with pytest.raises(EngineTimeout):
        _wait_again_and_again(patience)


def _wait(patience: Patience, sock: socket.socket) -> bytes:
    return PlainConnection(sock, 5).receive(patience)


def _wait_again_and_again(patience: Patience) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        patience.wait(lambda _: b"x")


def test_a_pause_is_time_of_the_engines_and_ends_when_the_caller_leaves() -> None:
    patience = Patience(bool)
    patience.pause(0.01)
    assert patience.waited_s > 0.009
    with pytest.raises(CallerGone):
        Patience(lambda: True).pause(0.01)
