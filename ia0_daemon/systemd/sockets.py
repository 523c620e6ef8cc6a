"""The listening sockets that systemd hands over: sd_listen_fds(3).

    LISTEN_PID, LISTEN_FDS -> take() -> sockets -> matched() by address with the settings

systemd keeps its own hold on them, so that connections wait in the kernel while
one process of the daemon ends and the next one starts. Owns the variables and
the matching. Never binds and never accepts.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping, Sequence

from ia0_daemon.settings import listen_address
from ia0_daemon.settings.listen_address import ListenAddress

# SD_LISTEN_FDS_START of sd-daemon.h.
FIRST = 3
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
_REMEDY = (
    "ListenStream= in ia0.socket and the addresses in ia0.toml must be the same; correct one of them, then "
    "`systemctl daemon-reload && systemctl restart ia0.socket ia0.service`"
)


class WrongSockets(Exception):
    """What was handed over does not fit the configuration; the text says how."""


def take(environ: MutableMapping[str, str], first: int = FIRST) -> list[socket.socket]:
    """The sockets that are meant for this process; none without systemd. Children see nothing of them."""
    pid, count = environ.get("LISTEN_PID", ""), environ.get("LISTEN_FDS", "")
    for name in _VARIABLES:
        environ.pop(name, None)
    if not pid or pid != str(os.getpid()):
        return []
    if not count.isdigit():
        raise WrongSockets(f"LISTEN_FDS is {count!r}, which is no number of sockets")
    return [_taken(number) for number in range(first, first + int(count))]


def matched(handed: Sequence[socket.socket], wanted: dict[str, str]) -> dict[str, socket.socket]:
    """Each setting's socket, by its address. `wanted`: setting -> host:port. Every socket must have one."""
    left = list(handed)
    found: dict[str, socket.socket] = {}
    for key, text in wanted.items():
        fits = next((sock for sock in left if _is_at(sock, listen_address.parse(text))), None)
        if fits is None:
            raise WrongSockets(
                f"{key}: systemd hands over no socket for {text}, but {_told(handed)}; {_REMEDY}"
            )
        left.remove(fits)
        found[key] = fits
    if left:
        settings = " and ".join(f"{key} ({text})" for key, text in wanted.items())
        raise WrongSockets(f"systemd hands over {_told(left)} beside {settings}; {_REMEDY}")
    return found


def _taken(number: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=number)
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise WrongSockets(f"descriptor {number} of ia0.socket is no socket: {error.strerror}") from error
    if not listens or sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6):
        sock.close()
        raise WrongSockets(
            f"descriptor {number} of ia0.socket is no TCP listener: use ListenStream=host:port and Accept=no"
        )
    os.set_inheritable(number, False)
    return sock


def _is_at(sock: socket.socket, address: ListenAddress) -> bool:
    host, port = sock.getsockname()[:2]
    if port != address.port:
        return False
    here = ListenAddress(host, port)
    if address.is_everywhere:
        # ListenStream=8080 alone is [::]:8080, which takes IPv4 as well.
        return here.is_everywhere
    return here.host in _addresses(address.host)


def _addresses(host: str) -> set[str]:
    """The addresses that a name stands for; an address stands for itself."""
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return {host}


def _told(socks: Sequence[socket.socket]) -> str:
    names = [str(ListenAddress(*sock.getsockname()[:2])) for sock in socks]
    return ", ".join(names) or "none at all"
