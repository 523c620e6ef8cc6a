"""Who is taken in, who is turned away with a word, and whose time is up."""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from waitress.adjustments import Adjustments

from ia0_daemon.errors import ServiceError
from ia0_daemon.gateway.door import Door
from ia0_daemon.gateway.listener import Listener

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LIMIT = 3
Told = tuple[http.client.HTTPResponse, dict[str, Any]]


class Case:
    """A listener with room for few, and what it refused."""

    def __init__(self) -> None:
        self.refused: list[ServiceError] = []
        self.app = Flask(__name__)
        self.app.add_url_rule("/", view_func=lambda: "hello")
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.listener = Listener(
            self.app,
            self.sock,
            threads=2,
            connections=LIMIT,
            body_bytes=10**6,
            refused=self.refused.append,
            request_s=0.2,
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(self.sock.getsockname(), timeout=10)


@pytest.fixture
def case() -> Iterator[Case]:
    made = Case()
    made.listener.start()
    yield made
    made.listener.stop()


def told(sock: socket.socket) -> Told:
    with http.client.HTTPResponse(sock) as response:
        response.begin()
        return response, json.loads(response.read())


def greeted(sock: socket.socket) -> bool:
    sock.sendall(GET)
    with http.client.HTTPResponse(sock) as response:
        response.begin()
        return response.read() == b"hello"


@pytest.fixture
def full(case: Case) -> Iterator[list[socket.socket]]:
    """As many connections as there may be."""
    socks = [case.connect() for _ in range(LIMIT)]
    assert all(greeted(sock) for sock in socks)
    yield socks
    for sock in socks:
        sock.close()


def test_one_connection_too_many_is_told_why_and_counted(case: Case, full: list[socket.socket]) -> None:
    with case.connect() as sock:
        response, body = told(sock)
        assert (response.status, response.reason) == (503, "OVERLOADED")
        assert (response.headers["Retry-After"], response.headers["Connection"]) == ("1", "close")
        assert body["details"] == {"limit": LIMIT, "setting": "server.max_connections"}
        assert sock.recv(1) == b""
    assert [error.code for error in case.refused] == ["OVERLOADED"]
    assert all(greeted(sock) for sock in full)


def test_whoever_is_turned_away_may_be_in_the_middle_of_a_large_request(
    case: Case, full: list[socket.socket]
) -> None:
    with case.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000))
        assert told(sock)[0].status == 503


def test_a_place_that_is_free_again_is_given_away(case: Case, full: list[socket.socket]) -> None:
    full.pop().close()
    until(lambda: not case.listener.is_busy(0) and len(case.listener._channels()) < LIMIT)
    with case.connect() as sock:
        assert greeted(sock)


def test_those_who_were_turned_away_and_stay_are_ended(case: Case, full: list[socket.socket]) -> None:
    with case.connect() as sock:
        told(sock)
        until(lambda: is_reset(sock))


def is_reset(sock: socket.socket) -> bool:
    try:
        sock.sendall(b"x")
    except OSError:
        return True
    return False


@pytest.mark.parametrize(
    "begun", [b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234"]
)
def test_a_request_that_does_not_come_to_its_end_is_told_why(case: Case, begun: bytes) -> None:
    with case.connect() as sock:
        sock.sendall(begun)
        response, body = told(sock)
    assert (response.status, body["code"]) == (408, "REQUEST_TIMEOUT")
    assert body["details"] == {"limit_s": 0.2, "setting": "server.request_timeout_s"}
    assert [error.code for error in case.refused] == ["REQUEST_TIMEOUT"]


def test_a_byte_now_and_then_buys_no_time(case: Case) -> None:
    with case.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nX: ")
        sock.settimeout(0.05)
        while not is_told(sock):
            sock.sendall(b"x")
    assert [error.code for error in case.refused] == ["REQUEST_TIMEOUT"]


def is_told(sock: socket.socket) -> bool:
    try:
        return bool(sock.recv(1))
    except TimeoutError:
        return False


def test_an_idle_connection_outlives_the_time_for_a_request(case: Case) -> None:
    with case.connect() as idle, case.connect() as slow:
        slow.sendall(b"GET")
        assert told(slow)[0].status == 408
        assert greeted(idle)


class Exhausted(Door):
    """A door for which no descriptor is free, but the one that it keeps."""

    def accept(self) -> Any:
        if self._spare is not None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


def test_without_a_descriptor_those_who_knock_are_told_too() -> None:
    refused: list[ServiceError] = []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        settings = Adjustments(sockets=[sock], threads=1)
        door = Exhausted(
            Flask(__name__), sock, settings, request_s=1, refused=refused.append, limit_setting="some.setting"
        )
        address = sock.getsockname()
        threading.Thread(target=door.run, daemon=True).start()
        for _ in range(3):
            with socket.create_connection(address, timeout=10) as caller:
                response, body = told(caller)
                assert (response.status, body["code"]) == (503, "OVERLOADED")
                assert "may open no more" in body["error"]
        end(door)
    assert len(refused) == 3


class Hopeless(Door):
    """A door that cannot take anybody, and counts how often it tried."""

    tried = 0

    def accept(self) -> Any:
        self.tried += 1
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def test_a_door_that_can_take_nobody_does_not_try_without_end(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        settings = Adjustments(sockets=[sock], threads=1)
        door = Hopeless(Flask(__name__), sock, settings, request_s=1, refused=print, limit_setting="")
        with socket.create_connection(sock.getsockname(), timeout=10):
            for _ in range(20):
                door.loop.turn(0.0)
        assert door.tried == 2
        assert "Cannot allocate memory" in caplog.text
        door.loop._upkeep_at = 0
        door.loop.turn(0.0)
        assert door.readable()
        end(door, in_loop=False)


def end(door: Any, *, in_loop: bool = True) -> None:
    """Close everything, so that nothing is left open."""
    door.task_dispatcher.shutdown(timeout=5)
    done = threading.Event()

    def close() -> None:
        for thing in list(door._map.values()):
            thing.close()
        done.set()

    if in_loop:
        door.trigger.pull_trigger(close)
        assert done.wait(10)
    else:
        close()
        door.run()


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it does not come about")
