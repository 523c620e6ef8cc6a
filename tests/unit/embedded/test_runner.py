"""The port of a child, from when it is chosen until the child has it."""

from __future__ import annotations

import socket

import pytest

from ia0_daemon.embedded.runner import _hold_port


def test_the_port_of_a_child_that_starts_is_free_for_it_alone() -> None:
    with _hold_port() as held:
        address = held.getsockname()
        with socket.socket() as another, pytest.raises(OSError, match="in use"):
            another.bind(address)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=30)
        with socket.create_server(address) as child:
            socket.create_connection(child.getsockname(), timeout=30).close()
