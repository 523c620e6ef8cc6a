"""Where the engine listens, in every form that OLLAMA_HOST takes.

Follows Ollama's ``envconfig.Host`` and ``ConnectableHost``, but refuses what
they would silently replace, such as port 99999. Never opens a connection.

    parse(text) -> Address(scheme, host, port, path), or AddressError
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

# Ollama's own port, used where neither a port nor a scheme is given.
DEFAULT_PORT = 11434
_SCHEME_PORTS = {"http": 80, "https": 443}

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


class AddressError(ValueError):
    """The text is no address; its message completes "... is not"."""


@dataclass(frozen=True)
class Address:
    """An engine to connect to. ``host`` has no brackets; ``path`` is empty or begins with ``/``."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def netloc(self) -> str:
        """``host:port``, with an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address to put a route behind, without a slash at its end."""
        return f"{self.scheme}://{self.netloc}{self.path}"


def parse(text: str) -> Address:
    """Read one OLLAMA_HOST. An unspecified address (``0.0.0.0``, ``::``, none) becomes loopback."""
    # Ollama strips blanks and quotes because env files of containers keep them.
    plain = text.strip().strip("\"'").strip()
    if plain == "ollama.com":
        return Address("https", "ollama.com", 443)
    scheme, separator, rest = plain.partition("://")
    if not separator:
        scheme, rest, default_port = "http", plain, DEFAULT_PORT
    elif scheme in _SCHEME_PORTS:
        default_port = _SCHEME_PORTS[scheme]
    else:
        raise AddressError("an address with the scheme http or https")
    hostport, _, path = rest.partition("/")
    host, port = _split(hostport)
    return Address(scheme, _connectable(host), _port(port, default_port), _path(path))


def _split(hostport: str) -> tuple[str, str | None]:
    """Host and port apart; an IPv6 address without a port may do without its brackets."""
    if hostport.startswith("["):
        host, closed, rest = hostport[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise AddressError("an address: a bracket is not closed, or something stands behind it")
        return _ipv6(host), rest[1:] if rest else None
    if hostport.count(":") > 1:
        return _ipv6(hostport), None
    host, colon, port = hostport.partition(":")
    return host, port if colon else None


def _ipv6(text: str) -> str:
    try:
        # Ollama's net.ParseIP takes "[1.2.3.4]" too.
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise AddressError("an address: what stands before the port is no IPv6 address") from None


def _port(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65535:
        raise AddressError("an address with a port from 1 to 65535")
    return int(text)


def _connectable(host: str) -> str:
    """The host to connect to: one listens on an unspecified address, but connects to loopback."""
    if host == "":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _name(host)
    if address.is_unspecified:
        return "::1" if address.version == 6 else "127.0.0.1"
    return str(address)


def is_host_name(text: str) -> bool:
    """Whether a text can be the name of a host; digits and dots alone are an address or nothing."""
    looks_like_ipv4 = re.fullmatch(r"[0-9.]+", text)
    return not looks_like_ipv4 and len(text) <= 253 and _NAME.fullmatch(text) is not None


def _name(host: str) -> str:
    if not is_host_name(host):
        raise AddressError("an address such as localhost:11434, http://10.0.0.5 or [::1]:11434")
    return host


def _path(text: str) -> str:
    trimmed = text.strip("/")
    if not _PATH.fullmatch(trimmed):
        raise AddressError("an address: its path holds characters that a URL must not")
    return f"/{trimmed}" if trimmed else ""
