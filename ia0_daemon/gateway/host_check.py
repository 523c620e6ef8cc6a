"""Whether a request was meant for this machine, where no key says who asks.

Without keys the API is open on loopback. A page in a browser can reach loopback,
too, under a name of its own that it lets point there (DNS rebinding): such a
request bears the page's name as its Host. Ollama refuses these likewise
[ollama.md, "Endpoints"]. A name without a dot is nobody's to register, so it is
taken: containers call each other so. Owns that rule. Pure.
"""

from __future__ import annotations

import ipaddress
import socket

from ia0_daemon.errors import Forbidden

_LOCAL = ("localhost", "local", "internal")


def check_host(host: str) -> None:
    """Take addresses and names of this machine. Raises `Forbidden` for any other name."""
    name = _name(host)
    is_known = "." not in name or name.rpartition(".")[2] in _LOCAL or name == socket.gethostname().lower()
    if is_known or _is_address(name):
        return
    raise Forbidden(
        f"Host: {name[:200]!r} is no name of this machine, and no key says that the caller may be trusted; "
        "ask for localhost or an address, or make a key (`ia0 keys create NAME`)",
        field="Host",
        value=name[:200],
    )


def _name(host: str) -> str:
    """Give a Host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
