"""How `make fuzz` reads a connection that ends as it likes."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.fuzz.wire import Wire

ABORT = struct.pack("ii", 1, 0)
ANSWER = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("said", [b"", ANSWER])
def test_a_reset_just_before_we_close_is_an_end_as_any(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    close_ours = socket.socket.shutdown

    def after_a_reset(ours: socket.socket, how: int) -> None:
        theirs, _ = listener.accept()
        theirs.sendall(said)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        theirs.close()
        close_ours(ours, how)

    monkeypatch.setattr(socket.socket, "shutdown", after_a_reset)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        outcome = Wire(listener.getsockname()[1]).fire(b"GARBAGE", 0, has_body=True, is_clean=False)
    assert outcome.end == "closed"
    assert [answer.status for answer in outcome.answers] == [400] * bool(said)
