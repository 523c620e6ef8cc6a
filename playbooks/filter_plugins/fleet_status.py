"""The filter ``fleet_status``: what each host's ``ia0 status --json`` said, as one table.

Owns the columns and their words. Never asks a host; ``playbooks/status.yml`` did.

    hosts' variables -> one row a host -> aligned lines
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

HEADS = (
    "HOST",
    "DAEMON",
    "OLLAMA",
    "READY",
    "SUPERVISOR",
    "DRAINED",
    "MEMORY",
    "IN FLIGHT",
    "MODELS",
    "LAST BACKUP",
    "LAST RESTART",
)
MIB = 1024 * 1024


def fleet_status(hosts: Iterable[Mapping[str, Any]]) -> str:
    """Give the table as one text, which Ansible does not fold; who did not answer has a line too."""
    rows = [_row(host) for host in hosts if "__status" in host or "__status_fault" in host]
    return "\n".join(_aligned([list(HEADS), *rows]))


def _row(host: Mapping[str, Any]) -> list[str]:
    name, answer = str(host["inventory_hostname"]), host.get("__status") or {}
    if not str(answer.get("stdout", "")).startswith("{"):
        why = host.get("__status_fault") or answer.get("msg") or "no answer"
        return [name, " ".join(str(why).split())]
    return [name, *_cells(json.loads(answer["stdout"]))]


def _cells(told: Mapping[str, Any]) -> list[str]:
    supervisor, engine = told["supervisor"], told["engine"]
    return [
        str(told["version"]),
        str(engine.get("version") or "does not answer"),
        _ready(told),
        str(supervisor["state"]),
        _drained(supervisor.get("drained")),
        _memory(told.get("memory")),
        str(told["in_flight"]),
        ", ".join(f"{name} {state}" for name, state in told["models"].items()),
        _when(told.get("backup")),
        _when(supervisor.get("last_restart")),
    ]


def _ready(told: Mapping[str, Any]) -> str:
    """Whether it answers, and what is wrong all the same; a daemon of an older version does not tell that."""
    if not told["ready"]:
        return "NO: " + "; ".join(told["reasons"])
    troubles = told.get("troubles")
    return f"yes, but: {'; '.join(troubles)}" if troubles else "yes"


def _drained(drained: object) -> str:
    if isinstance(drained, Mapping):
        return f"{drained['mode']} since {drained['since']}"
    return "yes" if drained else "no"


def _memory(memory: object) -> str:
    held = memory.get("held_bytes") if isinstance(memory, Mapping) else None
    return "-" if held is None else f"{int(held) // MIB} MiB"


def _when(what: object) -> str:
    return str(what["at"]) if isinstance(what, Mapping) else "never"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad each column but a row's last one; a short row's long reason widens no column."""
    whole = [row for row in rows if len(row) == len(HEADS)]
    firsts = [row[0] for row in rows]
    widths = [max(map(len, firsts)), *(max(len(row[at]) for row in whole) for at in range(1, len(HEADS)))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[[Iterable[Mapping[str, Any]]], str]]:
        """Name the filter."""
        return {"fleet_status": fleet_status}
