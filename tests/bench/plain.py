"""Plain requests: wrk asks for one object again and again, with another prompt each time.

wrk with so many connections for so long -> requests/s, p50, p99
"""

from __future__ import annotations

import json
import resource
import subprocess
import time
import uuid
from pathlib import Path

import psutil

from tests.bench import environments
from tests.bench.measured import Plain
from tests.bench.peers import Peer

SCRIPT = Path(__file__).with_name("body.lua")


def measure(peer: Peer, stub: Peer, clients: int, seconds: float) -> Plain:
    """Load a peer for so long; a short warm-up comes first and does not count."""
    _wrk(peer, clients, max(1, round(seconds / 5)))
    engine, began = psutil.Process(stub.pid), time.monotonic()
    stub_before, client_before = _cpu(engine), _children_cpu()
    said = _wrk(peer, clients, round(seconds))
    took = time.monotonic() - began
    return Plain(
        per_s=(said["requests"] - said["refused"]) / (said["duration"] / 1e6),
        p50_ms=said["p50"] / 1000,
        p99_ms=said["p99"] / 1000,
        errors=said["refused"] + said["broken"],
        client_cores=(_children_cpu() - client_before) / took,
        stub_cores=(_cpu(engine) - stub_before) / took,
    )


def play(peer: Peer, seconds: int) -> int:
    """Load a peer with 16 clients; how many requests were answered."""
    said = _wrk(peer, 16, seconds)
    return said["requests"] - said["refused"]


def _wrk(peer: Peer, clients: int, seconds: int) -> dict[str, int]:
    body = peer.body(f"Tell me of {uuid.uuid4().hex} and of NUMBER.", stream=False)
    headers = [f"{name}={value}" for name, value in peer.headers.items()]
    program = environments.tool("wrk", "wrk")
    timing = ["-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    url = f"http://127.0.0.1:{peer.port}"
    command = [program, *timing, "-s", str(SCRIPT), url, "--", peer.path, body, *headers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, int] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
