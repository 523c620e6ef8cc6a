"""Connections to the engine: when they are kept, replaced and cut."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.wire import FRESH_S, EngineCut, Wire
from ia0_daemon.errors import CallerGone, EngineAbsent, EngineError, EngineTimeout
from ia0_daemon.settings.engine_address import parse
from tests.fakes import bounded
from tests.scripted_engine import Reply, ScriptedEngine, Step, cut, piece, raw, say, status, until, whole

PATH = "/api/chat"
BODY = b'{"messages": [1]}'


def hang_up(reply: Reply) -> None:
    """End the answer as it should be, and the connection with it."""
    reply.handler.close_connection = True


def read(wire: Wire, patience: Patience) -> bytes:
    exchange = wire.post(PATH, BODY, patience)
    lines = [line for lines in exchange.lines() for line in lines]
    exchange.close()
    return b"\n".join(lines)


def test_a_connection_is_used_again(engine: ScriptedEngine, wire: Wire, patience: Patience) -> None:
    for _ in range(3):
        assert b"Hello" in read(wire, patience)
    assert len(engine.connections) == 1


def test_requests_at_the_same_time_have_connections_of_their_own(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    exchanges = [wire.post(PATH, BODY, patience) for _ in range(3)]
    for exchange in exchanges:
        exchange.close()
    assert len(engine.connections) == 3


def test_a_kept_connection_that_the_engine_closed_is_replaced(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    engine.scripts = [[*whole("one"), hang_up], whole("two")]
    read(wire, patience)
    assert b"two" in read(wire, patience)
    assert len(engine.connections) == 2


def test_a_kept_connection_that_dies_under_the_request_is_replaced_once(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    engine.scripts = [whole("one"), [cut], whole("two")]
    read(wire, patience)
    assert b"two" in read(wire, patience)


def test_the_replacement_is_not_replaced(engine: ScriptedEngine, wire: Wire, patience: Patience) -> None:
    engine.scripts = [whole("one"), [cut]]
    read(wire, patience)
    with pytest.raises(EngineCut, match="without an answer"):
        wire.post(PATH, BODY, patience)
    assert len(engine.received) == 3


def test_a_new_connection_that_is_cut_before_the_answer_says_so(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    engine.scripts = [[cut]]
    with pytest.raises(EngineCut, match="without an answer"):
        wire.post(PATH, BODY, patience)


def test_an_answer_that_is_cut_gives_its_lines_first(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    engine.scripts = [[say(piece("one")), cut]]
    exchange = wire.post(PATH, BODY, patience)
    lines = exchange.lines()
    assert b"one" in next(lines)[0]
    with pytest.raises(EngineCut, match="mid-answer"):
        next(lines)
    exchange.close()


def test_lines_are_put_together_wherever_they_are_broken(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    engine.scripts = [[raw(b'{"a'), raw(b'": 1}\n{"b"'), raw(b": 2}")]]
    assert read(wire, patience) == b'{"a": 1}\n{"b": 2}'


def test_an_answer_that_is_not_read_to_its_end_is_cut(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    engine.scripts = [[say(piece("one")), until(threading.Event())]]
    exchange = wire.post(PATH, BODY, patience)
    next(exchange.lines())
    exchange.close()
    assert engine.hung_up.get(timeout=30)
    assert not wire.lost()


def test_an_answer_whose_last_line_is_read_keeps_its_connection(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    exchange = wire.post(PATH, BODY, patience)
    lines = exchange.lines()
    while b'"done": true' not in next(lines)[-1]:
        pass
    exchange.close(answered=True)
    read(wire, patience)
    assert len(engine.connections) == 1


def test_an_error_keeps_its_connection(engine: ScriptedEngine, wire: Wire, patience: Patience) -> None:
    engine.scripts = [[status(500, "no")], whole("yes")]
    exchange = wire.post(PATH, BODY, patience)
    assert exchange.status == 500
    assert b"no" in exchange.body()
    exchange.close()
    read(wire, patience)
    assert len(engine.connections) == 1


@pytest.mark.parametrize("early", [[], [say(piece("one"))]])
def test_a_caller_who_left_cuts_the_connection(engine: ScriptedEngine, wire: Wire, early: list[Step]) -> None:
    engine.scripts = [[*early, until(threading.Event())]]
    with pytest.raises(CallerGone):
        read(wire, bounded(30, lambda: True))
    # The answer that had begun belongs to its caller, who cuts it; see test_client.
    assert early or engine.hung_up.get(timeout=30)


def test_silence_before_the_headers_is_bounded_and_cuts(engine: ScriptedEngine, wire: Wire) -> None:
    engine.scripts = [[until(threading.Event())]]
    with pytest.raises(EngineTimeout):
        wire.post(PATH, BODY, bounded(0.1))
    assert engine.hung_up.get(timeout=30)


def test_nobody_listening_is_an_engine_error_that_names_the_setting() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = parse(f"127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(EngineAbsent, match=r"does not accept connections .* engine\.host says where"):
            Wire(address, 1).post(PATH, BODY, bounded(30))


def test_an_engine_without_tls_where_tls_is_expected_is_an_engine_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(EngineError, match="does not accept connections"):
            Wire(parse(f"https://127.0.0.1:{server.getsockname()[1]}"), 30).post(PATH, BODY, bounded(30))
        thread.join()


def test_lost_is_noticed_before_a_request_is_made(
    engine: ScriptedEngine, wire: Wire, patience: Patience
) -> None:
    read(wire, patience)
    assert not wire.lost()
    engine.scripts = [[*whole("one"), hang_up]]
    read(wire, patience)
    engine.wait_closed()
    time.sleep(FRESH_S)
    assert wire.lost()
    assert not wire.lost(), "the dead connections are gone"


def test_a_closed_wire_keeps_nothing(engine: ScriptedEngine, wire: Wire, patience: Patience) -> None:
    exchange = wire.post(PATH, BODY, patience)
    wire.close()
    assert b"world" in exchange.body()
    exchange.close()
    read(wire, patience)
    assert len(engine.connections) == 2
