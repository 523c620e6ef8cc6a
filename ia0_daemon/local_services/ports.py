"""Who has a port, so that "address already in use" names somebody.

Owns the trial bind and the search for the listener. Never signals anybody.

    fault(address, ours):  bind -> "" (free, or ours) | a sentence that names who has it
"""

from __future__ import annotations

import errno
import pwd
import socket
from collections.abc import Collection
from pathlib import Path

import psutil

from ia0_daemon.local_services.processes import command_line

_LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp (include/net/tcp_states.h)."""


def fault(host: str, port: int, ours: Collection[int] = ()) -> str:
    """Why this address cannot be used; empty where it can be, or one of the pids ``ours`` has it."""
    number = _bind(host, port)
    if number == 0:
        return ""
    if number == errno.EACCES:
        return f"{host}:{port}: this user may not use port {port}; choose one from 1024 to 65535"
    if number != errno.EADDRINUSE:
        return f"{host}:{port}: cannot be used: {errno.errorcode.get(number, number)}"
    holders = _holders(port)
    if holders and holders <= set(ours):
        return ""
    return f"{host}:{port} is taken by {_describe(holders - set(ours), port)}"


def _bind(host: str, port: int) -> int:
    """The error number of a trial bind; 0 where it works."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        # As a server does: the remains of closed connections are no obstacle.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def _holders(port: int) -> set[int]:
    """Pids that listen on the port, as far as this user may know them."""
    listening = (each for each in psutil.net_connections(kind="tcp") if each.status == psutil.CONN_LISTEN)
    return {each.pid for each in listening if each.pid is not None and each.laddr and each.laddr.port == port}


def _describe(pids: set[int], port: int) -> str:
    if pids:
        return ", ".join(f"pid {pid} ({command_line(pid) or 'command unknown'})" for pid in sorted(pids))
    owners = sorted(_owners(port))
    whose = f"user {', '.join(owners)}" if owners else "another user"
    return f"a process of {whose} (its pid is not visible to this user; as root: ss -ltnp 'sport = :{port}')"


def _owners(port: int) -> set[str]:
    """The users whose sockets listen on the port, from /proc/net, which anybody may read."""
    rows = (line.split() for table in ("tcp", "tcp6") for line in _table(table))
    # Fields of a row: 1 local address (hex:hex), 3 state, 7 uid.
    listening = (row for row in rows if row[3] == _LISTENING)
    return {_user(int(row[7])) for row in listening if int(row[1].split(":")[1], 16) == port}


def _table(name: str) -> list[str]:
    path = Path("/proc/net") / name
    return path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
