"""The callers of the stream rows count each chunk once, however the bytes are broken."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.bench.stream_client import Caller, Tally

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n"
REQUEST = (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n", b'{"prompt": "NUMBER"}')


class Server:
    """The other end of a caller's connection."""

    def __init__(self, timed: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.caller = Caller(listener.getsockname()[1], REQUEST, 7, timed)
            self.sock, _ = listener.accept()
        self.caller.ask()
        self.asked = self.sock.recv(4096)
        self.tally = Tally()

    def say(self, data: bytes) -> bool:
        self.sock.sendall(data)
        return self.caller.read(self.tally)


@pytest.fixture(params=[False, True], ids=["counted", "timed"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(request.param)
    yield server
    server.sock.close()
    server.caller.sock.close()


def stamp() -> bytes:
    return b"@%018d " % time.monotonic_ns()


def test_each_chunk_is_counted_once_wherever_it_is_broken(server: Server) -> None:
    body = b"3f\r\n" + stamp() * 3 + b"\r\n"
    assert server.say(HEAD % b"")
    for at in range(len(body)):
        assert server.say(body[at : at + 1])
    assert server.tally.chunks == 3
    assert len(server.tally.first_ms) == 1


def test_the_next_stream_is_asked_for_with_another_prompt(server: Server) -> None:
    assert server.say(HEAD % b"" + b"14\r\n" + stamp() + b"\r\n0\r\n")
    assert server.say(b"\r\n")
    asked = server.sock.recv(4096)
    assert asked.startswith(b"POST / HTTP/1.1\r\nContent-Length: 28\r\n")
    assert asked != server.asked


def test_a_connection_that_the_peer_closes_is_no_error(server: Server) -> None:
    assert not server.say(HEAD % b"Connection: close\r\n" + b"14\r\n" + stamp() + b"\r\n0\r\n\r\n")
    assert (server.tally.chunks, server.tally.errors) == (1, 0)


def test_a_refusal_is_an_error(server: Server) -> None:
    assert not server.say(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    assert server.tally.errors == 1
