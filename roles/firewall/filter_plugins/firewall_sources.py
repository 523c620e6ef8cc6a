"""The sources of firewall rules: which of them are none, of which family they are, whom they let in.

    sources -> faults; sources -> elements of one nftables set

Owns the reading of addresses and networks. Never asks a host, never writes a rule.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, collapse_addresses, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ipaddress import IPv4Network, IPv6Network


def faults(sources: Sequence[object]) -> list[str]:
    """One sentence for each source that is neither an address nor a network."""
    found = []
    for source in sources:
        try:
            _network(source)
        except ValueError as error:
            found.append(f"{source!r}: {error}")
    return found


def elements(sources: Sequence[object], version: int) -> list[str]:
    """The sources of one IP version as nftables takes them: sorted, none twice, none within another."""
    chosen = [network for network in map(_network, sources) if network.version == version]
    return [str(network) for network in collapse_addresses(chosen)]  # type: ignore[type-var]  # all of one version


def covers(sources: Sequence[object], address: str) -> bool:
    """Whether a packet from the address would come from one of the sources."""
    caller = _caller(address)
    return any(caller in network for network in map(_network, sources))


def _network(source: object) -> IPv4Network | IPv6Network:
    if not isinstance(source, str):
        raise ValueError("must be text, such as 192.0.2.7 or 192.0.2.0/24")  # noqa: TRY004  # a fault of the inventory
    return ip_network(source)


def _caller(address: str) -> IPv4Address | IPv6Address:
    """The address as the kernel sees it: no zone, and IPv4 where it is only dressed as IPv6."""
    caller = ip_address(address.partition("%")[0])
    return getattr(caller, "ipv4_mapped", None) or caller


class FilterModule:
    """What the role's tasks call."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """The filters by their names."""
        return {"firewall_faults": faults, "firewall_elements": elements, "firewall_covers": covers}
