"""Filters that read what host and inventory say of Ollama: unit files, sockets, manifests, numbers.

Owns the reading alone: each filter takes text that a task brought and gives
plain values. Never asks a host itself.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ia0_daemon.settings.engine_address import AddressError, parse

# In /proc/net/tcp: the state of a socket that listens (TCP_LISTEN of the kernel's tcp_states.h).
_LISTENING = "0A"
# Whoever sets one of these behind our drop-in runs another Ollama than the one that we prove.
_DECIDING = ("ExecStart", "User", "Group", "EnvironmentFile")


def ollama_url(text: str) -> str:
    """Give the URL at which an OLLAMA_HOST answers on its own host, without a slash at its end."""
    try:
        return parse(text).url
    except AddressError as error:
        raise AnsibleFilterError(f"OLLAMA_HOST={text} is not {error}") from error


def ollama_unit_environment(text: str) -> dict[str, str]:
    """Read the property ``Environment`` of a unit, as ``systemctl show`` writes it."""
    pairs = (word.partition("=") for word in shlex.split(text))
    return {name: value for name, _, value in pairs}


def ollama_tags(paths: Iterable[str], folder: str) -> list[str]:
    """Name the models whose manifests lie at these paths, as ``/api/tags`` does."""
    return sorted(_tag(path.removeprefix(f"{folder}/")) for path in paths)


def ollama_overrides(text: str, wanted: Mapping[str, str]) -> list[str]:
    """Give the lines of a drop-in that take back what ours sets: another program, user, address or folder."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if _takes_back(line, wanted)]


def ollama_listeners(text: str, port: int) -> list[dict[str, str]]:
    """Give address and inode of each socket in ``/proc/net/tcp`` and ``tcp6`` that listens at this port."""
    rows = (line.split() for line in text.splitlines())
    found = [(row[1].split(":"), row[9]) for row in rows if len(row) > 9 and row[3] == _LISTENING]
    return [
        {"address": _address(address), "inode": inode}
        for (address, hex_port), inode in found
        if int(hex_port, 16) == int(port)
    ]


def ollama_checksum_in(name: str, text: str) -> str:
    """Find a file's sha256 in a ``sha256sum.txt``, whose names begin with ``./``; empty: it is not there."""
    found = re.search(rf"^([0-9a-fA-F]{{64}})\s+\*?(?:\./)?{re.escape(name)}\s*$", text, re.MULTILINE)
    return found[1].lower() if found else ""


def ollama_pairs(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as ``NAME=value``, sorted."""
    return sorted(f"{name}={value}" for name, value in settings.items())


def ollama_out_of_range(ranges: Mapping[str, list[int]], values: Mapping[str, Any]) -> list[str]:
    """Say of each value that is no whole number within its range what it must be."""
    return [
        f"{name}={values[name]}: must be a whole number from {lowest} to {highest}"
        for name, (lowest, highest) in ranges.items()
        if not re.fullmatch("[0-9]+", str(values[name])) or not lowest <= int(values[name]) <= highest
    ]


def _takes_back(line: str, wanted: Mapping[str, str]) -> bool:
    key, _, value = line.partition("=")
    if key.strip() in _DECIDING:
        return bool(value.strip())
    if key.strip() != "Environment":
        return False
    return any(
        name in wanted and wanted[name] != set_to for name, set_to in ollama_unit_environment(value).items()
    )


def _tag(path: str) -> str:
    """``registry.ollama.ai/library/qwen2/7b`` is ``qwen2:7b``."""
    name, _, tag = path.rpartition("/")
    return f"{re.sub('^library/', '', name.removeprefix('registry.ollama.ai/'))}:{tag}"


def _address(text: str) -> str:
    """Words of 32 bits in the byte order of the machine: little endian on amd64 and arm64."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return str(ipaddress.ip_address(struct.pack(f"<{len(words)}I", *words)))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {
            "ollama_checksum_in": ollama_checksum_in,
            "ollama_listeners": ollama_listeners,
            "ollama_out_of_range": ollama_out_of_range,
            "ollama_overrides": ollama_overrides,
            "ollama_pairs": ollama_pairs,
            "ollama_tags": ollama_tags,
            "ollama_unit_environment": ollama_unit_environment,
            "ollama_url": ollama_url,
        }
