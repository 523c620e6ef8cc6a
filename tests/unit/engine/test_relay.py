"""What is handed to the engine and back: bodies in pieces, silence, hang-ups, engines that are not there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.relay import Relay
from ia0_daemon.errors import CallerGone, EngineAbsent, EngineInterrupted, EngineTimeout
from ia0_daemon.settings.engine_address import Address
from tests.engine_process import free_port

Play = Callable[[socket.socket], None]


class Engine:
    """Takes one connection and plays a part on it; keeps what it read."""

    def __init__(self, play: Play) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._play = play
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.relay = Relay(Address("http", "127.0.0.1", self._listener.getsockname()[1]), 5)

    def _serve(self) -> None:
        sock = self._listener.accept()[0]
        with sock:
            self._play(sock)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def engine() -> Iterator[Callable[[Play], Engine]]:
    made: list[Engine] = []

    def make(play: Play) -> Engine:
        made.append(Engine(play))
        return made[-1]

    yield make
    for each in made:
        each.close()


def read_until(sock: socket.socket, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        found += sock.recv(65536)
    return found


def test_method_path_and_body_arrive_as_they_are(engine: Callable[[Play], Engine]) -> None:
    seen: list[bytes] = []

    def play(sock: socket.socket) -> None:
        seen.append(read_until(sock, b"END"))
        sock.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")

    pieces = iter([b"x" * 100_000, b"END"])
    relayed = engine(play).relay.ask("DELETE", "/api/delete", Patience(bool), body=pieces, size=100_003)
    assert (relayed.status, relayed.size, relayed.whole()) == (201, 2, b"ok")
    relayed.close()
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"DELETE /api/delete HTTP/1.1")
    assert head.count(b"Host: localhost") == head.count(b"Host:") == 1
    assert body == b"x" * 100_000 + b"END"


def test_a_head_has_no_body(engine: Callable[[Play], Engine]) -> None:
    def play(sock: socket.socket) -> None:
        read_until(sock, b"\r\n\r\n")
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    relayed = engine(play).relay.ask("HEAD", "/api/blobs/sha256:0", Patience(bool))
    assert relayed.whole() == b""
    relayed.close()


def test_pieces_come_as_the_engine_sends_them(engine: Callable[[Play], Engine]) -> None:
    go_on = threading.Event()

    def play(sock: socket.socket) -> None:
        read_until(sock, b"\r\n\r\n")
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n")
        go_on.wait(10)
        sock.sendall(b"4\r\ntwo\n\r\n0\r\n\r\n")

    relayed = engine(play).relay.ask("POST", "/api/pull", Patience(bool))
    pieces = relayed.pieces()
    assert next(pieces) == b"one\n"
    go_on.set()
    assert list(pieces) == [b"two\n"]
    relayed.close()


def test_who_hangs_up_is_noticed_while_the_engine_is_silent(
    engine: Callable[[Play], Engine],
) -> None:
    hung_up = threading.Event()

    def play(sock: socket.socket) -> None:
        read_until(sock, b"\r\n\r\n")
        sock.recv(1)  # ends when the daemon closes
        hung_up.set()

    with pytest.raises(CallerGone):
        engine(play).relay.ask("POST", "/api/pull", Patience(lambda: True))
    assert hung_up.wait(10)


def test_a_question_is_not_waited_for_longer_than_it_may_take(engine: Callable[[Play], Engine]) -> None:
    def play(sock: socket.socket) -> None:
        read_until(sock, b"\r\n\r\n")
        sock.recv(1)

    with pytest.raises(EngineTimeout, match=r"engine\.control_timeout_s"):
        engine(play).relay.ask("GET", "/api/tags", Patience(bool), timeout_s=0.1)


def test_an_engine_that_answers_before_it_has_all_is_heard(engine: Callable[[Play], Engine]) -> None:
    def play(sock: socket.socket) -> None:
        read_until(sock, b"\r\n\r\n")
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad")

    relayed = engine(play).relay.ask("POST", "/api/blobs/x", Patience(bool), body=iter([b""]), size=0)
    assert (relayed.status, relayed.text()) == (400, b"bad")
    relayed.close()


def test_a_cut_is_one_before_and_in_the_answer(engine: Callable[[Play], Engine]) -> None:
    with pytest.raises(EngineInterrupted, match="without an answer"):
        engine(lambda sock: None).relay.ask("GET", "/", Patience(bool))

    def play(sock: socket.socket) -> None:
        read_until(sock, b"\r\n\r\n")
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal")

    relayed = engine(play).relay.ask("POST", "/api/pull", Patience(bool))
    with pytest.raises(EngineInterrupted, match="mid-answer"):
        list(relayed.pieces())
    relayed.close()


def test_nobody_there_is_told_with_the_setting() -> None:
    with pytest.raises(EngineAbsent, match=r"engine\.host"):
        Relay(Address("http", "127.0.0.1", free_port()), 1).ask("GET", "/", Patience(bool))
