"""The machine's memory, with the limit around a process laid beside it.

Owns `/proc/meminfo`. The limit is `read_limit.py`'s.
"""

from __future__ import annotations

from pathlib import Path

from ia0_daemon.supervisor.read_limit import Limit, lower, read_limit
from ia0_daemon.supervisor.samples import Host

_KIBIBYTE = 1024


def read_host(proc: Path, pid: int | None, told: Limit | None = None) -> Host:
    """The host as seen from a process (from this one where there is no other), and a limit that was told."""
    sizes = _meminfo((proc / "meminfo").read_text(encoding="ascii"))
    limit = lower(read_limit(proc, "self" if pid is None else str(pid)), told)
    return Host(
        total_bytes=sizes["MemTotal"],
        available_bytes=sizes["MemAvailable"],
        swap_total_bytes=sizes.get("SwapTotal", 0),
        swap_used_bytes=sizes.get("SwapTotal", 0) - sizes.get("SwapFree", 0),
        limit_bytes=limit.bytes if limit else None,
        limit_used_bytes=limit.used_bytes if limit else None,
        limit_source=limit.source if limit else "",
        limit_headroom_bytes=limit.headroom_bytes if limit else None,
    )


def _meminfo(text: str) -> dict[str, int]:
    rows = (line.split() for line in text.splitlines())
    return {row[0].rstrip(":"): int(row[1]) * _KIBIBYTE for row in rows if len(row) >= 2}
