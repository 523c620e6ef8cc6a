"""Wrong input of every kind over the wire: each gets its code, and the daemon goes on."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests

from tests.daemon_process import DaemonProcess
from tests.integration.gateway.conftest import answer

POST = b"POST /llm/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def _goes_on(daemon: DaemonProcess) -> Iterator[None]:
    yield
    assert requests.get(daemon.url + "/health/live", timeout=30).status_code == 200
    daemon.wait_for(lambda: daemon.metric("ia0_in_flight") == 0)  # a seat is free behind the last byte


BROKEN = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no version": (b"GET\r\n\r\n", 400),
    "no method": (b" / HTTP/1.1\r\n\r\n", 400),
    "a blank in a header's name": (b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n", 400),
    "a wrong length": (POST + b"Content-Length: 1x\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "an unknown coding": (POST + b"Transfer-Encoding: rot13\r\n\r\n", 400),
    "a chunk without a size": (CHUNKED + b"{}\r\n\r\n", 400),
    "a chunk that is longer than it says": (CHUNKED + b"1\r\n{}\r\n0\r\n\r\n", 400),
    "headers that do not end": (b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000, 400),
    "a body that is announced too large": (POST + b"Content-Length: 999999999999\r\n\r\n", 413),
    "an empty body": (POST + b"Content-Length: 0\r\n\r\n", 400),
    "no body": (POST + b"\r\n", 400),
    "another method": (b"BREW /llm/generate HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "another path": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "a path in double": (b"GET /llm//generate HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "a path that is no UTF-8": (b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "a request id with a blank": (b"GET /models HTTP/1.1\r\nHost: x\r\nX-Request-ID: a b\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_request_gets_an_answer_in_the_one_shape(daemon: DaemonProcess, name: str) -> None:
    data, status = BROKEN[name]
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as sock:
        with suppress(ConnectionError):  # it is refused before all is out; the answer is there all the same
            sock.sendall(data)
        with http.client.HTTPResponse(sock) as response:
            response.begin()
            body = json.loads(response.read())
    assert response.status == status
    assert {"error", "code", "details", "timestamp"} <= set(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "INVALID_REQUEST"),
        (b"{", "INVALID_REQUEST"),
        (b"[]", "INVALID_REQUEST"),
        (b"\xff\xfe", "INVALID_REQUEST"),
        (b'{"prompt": 1, and more', "INVALID_REQUEST"),
        (b'{"x":' + b"[" * 50_000, "INVALID_REQUEST"),
        ({"prompt": ""}, "INVALID_REQUEST"),
        ({"prompt": "x" * 200_001}, "INVALID_REQUEST"),
        ({"prompt": "Hi", "params": {"max_tokens": 2001}}, "INVALID_REQUEST"),
        ({"prompt": "Hi", "params": {"temperature": "hot"}}, "INVALID_REQUEST"),
        ({"prompt": "Hi", "a.b": 1}, "INVALID_REQUEST"),
        ({"prompt": "Hi", "model": "gpt-4"}, "MODEL_NOT_FOUND"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_body_gets_its_code(daemon: DaemonProcess, body: object, code: str) -> None:
    status, said = answer(daemon, body)
    assert (status, said["code"]) == (404 if code == "MODEL_NOT_FOUND" else 400, code)


def test_a_body_that_is_really_too_large_is_told_so(daemon: DaemonProcess) -> None:
    body = b'{"prompt": "%s"}' % (b"x" * 6_000_000)
    response = requests.post(
        daemon.url + "/llm/generate", body, headers={"Content-Type": "application/json"}, timeout=30
    )
    assert (response.status_code, response.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_a_chunked_body_is_as_good_as_another(daemon: DaemonProcess) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"prompt": "Hi", '
        yield b'"params": {"max_tokens": 2}}'

    response = requests.post(
        daemon.url + "/llm/generate", chunks(), headers={"Content-Type": "application/json"}, timeout=30
    )
    assert response.json()["completion_tokens"] == 2


def test_a_request_that_ends_too_early_leaves_nothing(daemon: DaemonProcess) -> None:
    for early in (b"", b"POST", POST, POST + b"Content-Length: 50\r\n\r\n{", CHUNKED + b"5\r\n{"):
        socket.create_connection(("127.0.0.1", daemon.port), timeout=30).close()
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as sock:
            sock.sendall(early)
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1024) == b""


def test_refusals_are_counted(daemon: DaemonProcess) -> None:
    series = 'ia0_requests_total{code="INVALID_REQUEST",model="",route="unread"}'
    before = daemon.metric(series)
    test_a_broken_request_gets_an_answer_in_the_one_shape(daemon, "no version")
    assert daemon.metric(series) == before + 1
