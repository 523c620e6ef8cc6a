"""The embedded engine's listener ends when it is to, whether somebody knocks or not."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from ia0_daemon.embedded.exchange import Exchange
from ia0_daemon.embedded.http_server import HttpServer


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_what_says_stop_before_it_waits_is_not_missed(pipe: tuple[int, int]) -> None:
    wake, written = pipe
    server = HttpServer("127.0.0.1", 0, lambda _: None)
    os.write(written, b"x")
    server.serve(wake)
    server.close()


def test_it_answers_until_then(pipe: tuple[int, int]) -> None:
    wake, written = pipe

    def answer(exchange: Exchange) -> None:
        exchange.send_json(200, {"path": exchange.path})

    server = HttpServer("127.0.0.1", 0, answer)
    thread = threading.Thread(target=server.serve, args=(wake,))
    thread.start()
    with socket.create_connection(server.address) as caller:
        caller.sendall(b"GET /here HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert b"/here" in b"".join(iter(lambda: caller.recv(4096), b""))
    os.write(written, b"x")
    thread.join(10)
    assert not thread.is_alive()
    server.close()
