"""An address to listen on, and whether others than this machine can reach it.

Owns the form ``host:port`` (IPv6 in brackets). Never opens a socket.

    parse(text) -> ListenAddress(host, port), or AddressError
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ia0_daemon.settings.engine_address import AddressError, is_host_name

_FORM = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})", re.ASCII)


@dataclass(frozen=True)
class ListenAddress:
    """Where to listen; ``host`` has no brackets, port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it; of names, ``localhost`` alone counts."""
        address = self._ip()
        if address is None:
            return self.host.lower() == "localhost"
        mapped = getattr(address, "ipv4_mapped", None)
        return bool((mapped or address).is_loopback)

    @property
    def is_everywhere(self) -> bool:
        """Whether it stands for every address of the machine."""
        address = self._ip()
        return address is not None and address.is_unspecified

    def clashes(self, other: ListenAddress) -> bool:
        """Whether the two cannot both be bound."""
        if self.port != other.port or self.port == 0:
            return False
        same = self.host.lower() == other.host.lower() or (self.is_loopback and other.is_loopback)
        return same or self.is_everywhere or other.is_everywhere

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def _ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def parse(text: str) -> ListenAddress:
    """Read ``host:port``; AddressError where it is none."""
    form = _FORM.fullmatch(text)
    if form is None or int(form["port"]) > 65535:
        raise AddressError("host:port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080")
    if form["v6"] is not None:
        return ListenAddress(_ipv6(form["v6"]), int(form["port"]))
    return ListenAddress(_ipv4_or_name(form["host"]), int(form["port"]))


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise AddressError("host:port: what stands in the brackets is no IPv6 address") from None


def _ipv4_or_name(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        if not is_host_name(text):
            raise AddressError(
                "host:port: what stands before the colon is neither an address nor a name"
            ) from None
    return text
