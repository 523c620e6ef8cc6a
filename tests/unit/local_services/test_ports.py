"""A taken port names who has it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from ia0_daemon.local_services import ports


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_has_no_fault(taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    assert ports.fault("127.0.0.1", free) == ""


def test_a_taken_port_names_pid_and_command(taken: int) -> None:
    said = ports.fault("127.0.0.1", taken)
    assert said.startswith(f"127.0.0.1:{taken} is taken by pid {os.getpid()} (")
    assert "pytest" in said


def test_a_listener_on_every_address_is_in_the_way(taken: int) -> None:
    assert "is taken by pid" in ports.fault("0.0.0.0", taken)


def test_our_own_process_may_have_it(taken: int) -> None:
    assert ports.fault("127.0.0.1", taken, ours={os.getpid()}) == ""


def test_a_port_without_rights_says_which_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert ports.fault("127.0.0.1", 80).endswith("may not use port 80; choose one from 1024 to 65535")


def test_an_address_of_another_machine_cannot_be_used() -> None:
    assert "EADDRNOTAVAIL" in ports.fault("192.0.2.1", 8080)


def test_an_unseen_process_is_told_by_its_user(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_holders", lambda port: set())
    assert "is taken by a process of user" in ports.fault("127.0.0.1", taken)
