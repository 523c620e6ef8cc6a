"""What the listener refuses before there is a request, and how it ends."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest

from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.gateway.app import api
from ia0_daemon.gateway.listener import Listener
from ia0_daemon.gateway.record import record_refusal
from ia0_daemon.gateway.service import Service
from tests.daemon_process import wait_until_refused
from tests.fakes import FakeAnswer, FakeClient

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /llm/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def listener(service: Service) -> Iterator[Listener]:
    listener = Listener(
        api(service),
        socket.create_server(("127.0.0.1", 0)),
        threads=2,
        connections=20,
        body_bytes=1024,
        refused=partial(record_refusal, metrics=service.metrics),
    )
    listener.start()
    yield listener
    listener.stop()


def connect(listener: Listener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), timeout=30)


def say(listener: Listener, data: bytes) -> tuple[http.client.HTTPResponse, bytes]:
    """Send bytes, and read one answer."""
    with connect(listener) as sock:
        with suppress(ConnectionError):  # it is refused before all is out; the answer is there all the same
            sock.sendall(data)
        return answer(sock)


def answer(sock: socket.socket) -> tuple[http.client.HTTPResponse, bytes]:
    with http.client.HTTPResponse(sock) as response:
        response.begin()
        return response, response.read()


def post(body: bytes, extra: bytes = b"") -> bytes:
    return POST + b"Content-Length: %d\r\nConnection: close\r\n%s\r\n%s" % (len(body), extra, body)


def body_of(size: int) -> bytes:
    return b'{"prompt": "Hi"}'.ljust(size)


REFUSED = {
    "no request line": (b"HELLO\r\n\r\n", 400, "INVALID_REQUEST"),
    "a wrong length": (POST + b"Content-Length: ten\r\n\r\n", 400, "INVALID_REQUEST"),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400, "INVALID_REQUEST"),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "INVALID_REQUEST"),
    "a header without a colon": (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400, "INVALID_REQUEST"),
    "an unknown coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400, "INVALID_REQUEST"),
    "a broken chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "INVALID_REQUEST"),
    "headers without an end": (b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000, 400, "INVALID_REQUEST"),
    "a body that is announced too large": (POST + b"Content-Length: 1025\r\n\r\n", 413, "PAYLOAD_TOO_LARGE"),
    "chunks that are too many": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"200\r\n%s\r\n" % (b"x" * 512) * 3,
        413,
        "PAYLOAD_TOO_LARGE",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_request_is_refused_in_the_one_shape_and_counted(
    listener: Listener, service: Service, name: str
) -> None:
    data, status, code = REFUSED[name]
    response, body = say(listener, data)
    assert (response.status, response.headers["Content-Type"]) == (status, "application/json")
    assert response.headers["Connection"] == "close"
    said = json.loads(body)
    assert set(said) == {"error", "code", "details", "timestamp"}
    assert said["code"] == code
    labels = {"route": "unread", "model": "", "code": code}
    assert service.metrics.registry.get_sample_value("ia0_requests_total", labels) == 1


def test_a_body_of_just_the_limit_is_taken(listener: Listener) -> None:
    assert say(listener, post(body_of(1024)))[0].status == 200
    response, body = say(listener, post(body_of(1025)))
    assert response.status == 413
    assert b"which is 1024 bytes" in body


def test_a_chunked_body_is_taken(listener: Listener) -> None:
    chunks = b'9\r\n{"prompt"\r\n7\r\n: "Hi"}\r\n0\r\n\r\n'
    assert say(listener, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)[0].status == 200


def test_a_connection_is_kept_after_an_answer(listener: Listener) -> None:
    with connect(listener) as sock:
        for _ in range(2):
            sock.sendall(GET)
            assert answer(sock)[0].status == 200


def test_a_listener_that_stops_accepting_refuses_connections_and_ends_those_it_has(
    listener: Listener, engine: FakeClient
) -> None:
    go_on = threading.Event()

    class Waiting(FakeAnswer):
        def pieces(self) -> Iterator[list[ChatLine]]:
            yield [ChatLine(message=Delta("Hello"))]
            assert go_on.wait(30)
            yield from super().pieces()

    engine.answer_ = Waiting([" world"])
    with connect(listener) as sock, sock.makefile("rb") as file:
        sock.sendall(post(b'{"prompt": "Hi", "stream": true}').replace(b"Connection: close\r\n", b""))
        assert file.readline().startswith(b"HTTP/1.1 200")
        listener.stop_accepting()
        wait_until_refused(listener.port)
        go_on.set()
        while b'"done":true' not in file.readline():
            pass
        assert file.readline() + file.readline() + file.readline() == b"\r\n0\r\n\r\n"
        sock.sendall(GET)  # the stream's head was out before it could say that this is the last one
        assert b"Connection: close\r\n" in file.read()


def test_a_stream_keeps_its_connection(listener: Listener) -> None:
    with connect(listener) as sock:
        for _ in range(2):
            sock.sendall(post(b'{"prompt": "Hi", "stream": true}').replace(b"Connection: close\r\n", b""))
            head, body = answer(sock)
            assert (head.headers["Transfer-Encoding"], head.headers["Connection"]) == ("chunked", None)
            assert b'"done":true' in body


def test_a_stream_ends_its_connection_where_the_caller_wants_it(listener: Listener) -> None:
    with connect(listener) as sock, sock.makefile("rb") as file:
        sock.sendall(post(b'{"prompt": "Hi", "stream": true}'))
        assert file.read().endswith(b"0\r\n\r\n")


def test_the_last_answer_on_a_kept_connection_says_so(listener: Listener) -> None:
    with connect(listener) as sock:
        sock.sendall(GET)
        assert answer(sock)[0].headers["Connection"] is None
        listener.stop_accepting()
        sock.sendall(GET)
        assert answer(sock)[0].headers["Connection"] == "close"


def test_an_inherited_socket_is_let_go_and_what_knocks_waits_for_the_next(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        first, second = (
            Listener(
                api(service),
                held.dup(),
                threads=2,
                connections=20,
                body_bytes=1024,
                refused=partial(record_refusal, metrics=service.metrics),
                inherited=True,
            )
            for _ in range(2)
        )
        first.start()
        assert say(first, GET)[0].status == 200
        first.stop_accepting()
        with connect(first) as sock:
            sock.sendall(GET)
            while first.is_busy(0.1):
                threading.Event().wait(0.01)
            while not first.close_idle():
                threading.Event().wait(0.01)
            first.stop()
            second.start()
            assert answer(sock)[0].status == 200
        second.stop()


def test_a_request_that_has_begun_to_arrive_keeps_its_connection(listener: Listener) -> None:
    with connect(listener) as idle, connect(listener) as begun:
        for sock in (idle, begun):
            sock.sendall(GET)
            assert answer(sock)[0].status == 200
        begun.sendall(GET[:20])
        while not listener.is_busy(0):
            threading.Event().wait(0.01)
        assert not listener.close_idle()
        assert idle.recv(1) == b""
        begun.sendall(GET[20:])
        assert answer(begun)[0].status == 200


@pytest.mark.parametrize("place", [b"http://[::1", b"http://a]b/", b"http://[z]/"])
def test_an_address_that_is_none_is_refused(listener: Listener, place: bytes) -> None:
    response, body = say(listener, b"GET " + place + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (response.status, json.loads(body)["code"]) == (400, "INVALID_REQUEST")


def test_who_expects_a_100_without_a_body_is_answered(listener: Listener) -> None:
    response, _ = say(listener, GET[:-2] + b"Expect: 100-continue\r\n\r\n")
    assert response.status == 200


def test_who_expects_a_100_for_a_body_gets_it_first(listener: Listener) -> None:
    body = b'{"prompt": "Hi"}'
    whole = post(body, b"Expect: 100-continue\r\n")
    with connect(listener) as sock:
        sock.sendall(whole[: -len(body)])
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        assert answer(sock)[0].status == 200
