"""Which sockets are taken over from systemd, and which configuration they fit."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ia0_daemon.systemd.sockets import WrongSockets, matched, take


@pytest.fixture
def open_sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listener(stack: ExitStack, host: str = "127.0.0.1") -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return stack.enter_context(socket.create_server((host, 0), family=family))


def port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def handed(*socks: socket.socket) -> tuple[dict[str, str], int]:
    """The variables for sockets whose descriptors follow each other, and the first of them."""
    first = 500
    for index, sock in enumerate(socks):
        os.dup2(sock.fileno(), first + index)
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(socks)), "LISTEN_FDNAMES": "a:b"}, first


def test_the_sockets_of_this_process_are_taken_and_the_variables_cleared(open_sockets: ExitStack) -> None:
    one, other = listener(open_sockets), listener(open_sockets)
    environ, first = handed(one, other)
    taken = take(environ, first)
    assert [sock.getsockname() for sock in taken] == [one.getsockname(), other.getsockname()]
    assert not any(os.get_inheritable(sock.fileno()) for sock in taken)
    assert environ == {}
    for sock in taken:
        sock.close()


def test_sockets_of_another_process_are_left_alone() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2"}
    assert take(environ) == []
    assert environ == {}


def test_without_systemd_there_are_none() -> None:
    assert take({}) == []


def test_what_is_no_listener_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        environ, first = handed(sock)
        with pytest.raises(WrongSockets, match=r"ia0\.socket is no TCP listener.*Accept=no"):
            take(environ, first)


def test_each_setting_gets_the_socket_at_its_address(open_sockets: ExitStack) -> None:
    api, health = listener(open_sockets), listener(open_sockets)
    wanted = {"server.listen": f"localhost:{port(api)}", "server.health_listen": f"127.0.0.1:{port(health)}"}
    assert matched([health, api], wanted) == {"server.listen": api, "server.health_listen": health}


def test_everywhere_fits_everywhere(open_sockets: ExitStack) -> None:
    api = listener(open_sockets, "::")
    assert matched([api], {"server.listen": f"0.0.0.0:{port(api)}"}) == {"server.listen": api}


def test_a_setting_without_a_socket_is_told_with_what_is_there(open_sockets: ExitStack) -> None:
    api = listener(open_sockets)
    with pytest.raises(WrongSockets) as caught:
        matched([api], {"server.listen": "127.0.0.1:1"})
    assert "server.listen: systemd hands over no socket for 127.0.0.1:1" in str(caught.value)
    assert f"127.0.0.1:{port(api)}; ListenStream= in ia0.socket" in str(caught.value)


def test_a_socket_without_a_setting_is_refused(open_sockets: ExitStack) -> None:
    api, extra = listener(open_sockets), listener(open_sockets)
    with pytest.raises(WrongSockets, match=f"hands over 127.0.0.1:{port(extra)} beside server.listen"):
        matched([api, extra], {"server.listen": f"127.0.0.1:{port(api)}"})
