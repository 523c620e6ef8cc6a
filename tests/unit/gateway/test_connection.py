"""How long a connection may take for what it does, and how bytes leave it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from waitress.adjustments import Adjustments
from waitress.channel import ClientDisconnected

from ia0_daemon.gateway.connection import IDLE_S, TAKING_S, Connection, Pace


@dataclass
class FakeChannel:
    """What a pace looks at."""

    request: object = None
    requests: list[object] = field(default_factory=list)
    total_outbufs_len: int = 0
    last_activity: float = 0.0

    def readable(self) -> bool:
        return not self.total_outbufs_len


def too_slow_to_send(pace: Pace, channel: FakeChannel, now: float) -> bool:
    pace.look(channel, now)
    return pace.is_too_slow_to_send(now, 60)


def too_slow_to_read(pace: Pace, channel: FakeChannel, now: float) -> bool:
    pace.look(channel, now)
    return pace.is_too_slow_to_read(now)


def test_a_request_may_arrive_for_so_long_and_no_longer() -> None:
    pace, channel = Pace(), FakeChannel(request="half")
    assert [too_slow_to_send(pace, channel, now) for now in (1000, 1059, 1060)] == [False, False, True]


def test_each_request_has_the_time_for_itself() -> None:
    pace, channel = Pace(), FakeChannel(request="first")
    assert not too_slow_to_send(pace, channel, 1000)
    channel.request = "second"
    assert [too_slow_to_send(pace, channel, now) for now in (1050, 1109, 1110)] == [False, False, True]


def test_a_connection_without_a_request_is_not_too_slow_to_send() -> None:
    pace = Pace()
    assert not any(too_slow_to_send(pace, FakeChannel(), now) for now in (1000, 5000))


def test_time_in_which_the_daemon_does_not_read_does_not_count() -> None:
    pace = Pace()
    assert not too_slow_to_send(pace, FakeChannel("next", requests=["under way"]), 1000)
    assert not too_slow_to_send(pace, FakeChannel("next", total_outbufs_len=5), 1100)
    assert not too_slow_to_send(pace, FakeChannel("next"), 1101)
    assert too_slow_to_send(pace, FakeChannel("next"), 1160)


def test_an_answer_that_nobody_takes_waits_for_so_long() -> None:
    pace, channel = Pace(), FakeChannel(requests=["under way"], total_outbufs_len=5)
    times = (1000, 999 + IDLE_S, 1000 + IDLE_S)
    assert [too_slow_to_read(pace, channel, now) for now in times] == [False, False, True]


def test_whoever_takes_a_little_is_waited_for_while_the_answer_is_written() -> None:
    pace, channel = Pace(), FakeChannel(requests=["under way"], total_outbufs_len=5)
    for now in range(1000, 3000, 100):
        channel.last_activity = now
        assert not too_slow_to_read(pace, channel, now)


def test_a_complete_answer_is_not_waited_for_for_ever() -> None:
    pace, channel = Pace(), FakeChannel(total_outbufs_len=5)
    slow = []
    for now in range(1000, 1701, 100):
        channel.last_activity = now
        slow.append(too_slow_to_read(pace, channel, now))
    assert slow.index(True) == TAKING_S / 100


def test_an_answer_that_was_taken_starts_the_time_anew() -> None:
    pace, channel = Pace(), FakeChannel(total_outbufs_len=5)
    assert not too_slow_to_read(pace, channel, 1000)
    channel.total_outbufs_len = 0
    assert not too_slow_to_read(pace, channel, 1100)
    channel.total_outbufs_len = 7
    assert not too_slow_to_read(pace, channel, 1200)


class FakeServer:
    """What a connection asks of its server."""

    def __init__(self) -> None:
        self.active_channels: dict[int, object] = {}
        self.pulled = 0

    def pull_trigger(self) -> None:
        self.pulled += 1


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection and its caller; each sending arrives as one packet."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.settimeout(10)
    connection = Connection(FakeServer(), ours, ("", 0), Adjustments(sockets=[]), map={})
    yield connection, theirs
    theirs.close()
    connection.handle_close()


def test_what_is_written_is_sent_at_once(pair: tuple[Connection, socket.socket]) -> None:
    connection, caller = pair
    assert connection.write_soon(b"one") == 3
    assert caller.recv(100) == b"one"
    assert connection.server.pulled == 0


def test_head_and_first_piece_go_out_together(pair: tuple[Connection, socket.socket]) -> None:
    connection, caller = pair
    with connection.in_one_piece():
        connection.write_soon(b"head ")
        connection.write_soon(b"body")
    connection.write_soon(b"more")
    assert [caller.recv(100), caller.recv(100)] == [b"head body", b"more"]


def test_what_the_caller_does_not_take_waits_for_the_loop_in_its_order(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, caller = pair
    written = 0
    while not connection.total_outbufs_len:
        connection.write_soon(b"%06d" % written)
        written += 1
    connection.write_soon(b"%06d" % written)
    assert connection.server.pulled > 0
    caller.setblocking(False)
    read = b""
    while len(read) < 6 * (written + 1):
        try:
            read += caller.recv(100)
        except BlockingIOError:
            connection.handle_write()
    assert read == b"".join(b"%06d" % number for number in range(written + 1))


def test_a_writer_whose_caller_is_gone_is_told(pair: tuple[Connection, socket.socket]) -> None:
    connection, _ = pair
    connection.handle_close()
    with pytest.raises(ClientDisconnected):
        connection.write_soon(b"one")
