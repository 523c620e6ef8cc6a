"""Resident memory of a peer before and after 100,000 requests.

warm up -> look -> requests -> look
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.bench import plain
from tests.bench.measured import Memory
from tests.bench.peers import Peer

REQUESTS = 100_000
WARM_UP_REQUESTS = 2000
# wrk counts no requests, only time; so it is asked again and again for so many seconds.
PORTION_S = 5


def measure(peer: Peer, requests: int, limit_s: float) -> Memory:
    """Ask so often, but no longer than `limit_s`; how many it were is a part of the result."""
    _play(peer, WARM_UP_REQUESTS, 4 * PORTION_S)
    before = resident_mb(peer)
    answered = _play(peer, requests, limit_s)
    return Memory(before, resident_mb(peer), answered)


def resident_mb(peer: Peer) -> float:
    """Give what is resident: of one process all, of several each one's share (PSS)."""
    pids = [process.pid for process in peer.processes()]
    name = "Rss" if len(pids) == 1 else "Pss"
    return sum(_rollup(pid, name) for pid in pids) / 1e6


def _rollup(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def _play(peer: Peer, requests: int, limit_s: float) -> int:
    answered, until = 0, time.monotonic() + limit_s
    while answered < requests and time.monotonic() < until:
        answered += plain.play(peer, PORTION_S)
    return answered
