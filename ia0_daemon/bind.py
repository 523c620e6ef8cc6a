"""The listening sockets of a daemon: bound here, or handed over by systemd.

Owns the sockets until a listener has them. Never accepts a connection.

    server.listen, server.health_listen -> both sockets, or CannotListen / WrongSockets and none of them
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ia0_daemon.settings import listen_address
from ia0_daemon.systemd import sockets

if TYPE_CHECKING:
    from collections.abc import Sequence

# Connections that wait in the kernel until they are accepted.
BACKLOG = 1024


class CannotListen(Exception):
    """An address of the configuration cannot be bound."""


def take_over(
    handed: Sequence[socket.socket], listen: str, health_listen: str
) -> tuple[socket.socket, socket.socket | None]:
    """Use what systemd hands over, each at the address of its setting. Raises `WrongSockets`."""
    wanted = {"server.listen": listen, "server.health_listen": health_listen}
    found = sockets.matched(handed, {key: text for key, text in wanted.items() if text})
    return found["server.listen"], found.get("server.health_listen")


def bind_both(listen: str, health_listen: str) -> tuple[socket.socket, socket.socket | None]:
    """Bind both addresses, of which the second may be empty. Raises `CannotListen`; then none is bound."""
    api_socket = _bind("server.listen", listen)
    try:
        return api_socket, _bind("server.health_listen", health_listen) if health_listen else None
    except CannotListen:
        api_socket.close()
        raise


def _bind(key: str, text: str) -> socket.socket:
    address = listen_address.parse(text)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotListen(f"{key}: {text} cannot be listened on: {error.strerror}") from error
    return sock
