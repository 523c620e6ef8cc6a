"""Streamed answers: so many at once, each followed by the next; at once, or 20 ms a chunk.

stream_client.py as a process of its own -> chunks/s, time to the first chunk, age of each chunk
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from typing import Any

import psutil

from tests.bench.environments import ROOT
from tests.bench.measured import Streams
from tests.bench.peers import Peer

# The stub looks for it in the prompt.
PACE = "pace=20ms"


def measure(peer: Peer, stub: Peer, streams: int, seconds: float, *, paced: bool) -> Streams:
    """Load a peer with so many streams for so long; a warm-up comes first and does not count."""
    engine = psutil.Process(stub.pid)
    began, before = time.monotonic(), _cpu(engine)
    said = _call({**_request(peer, paced=paced), "streams": streams, "seconds": seconds, "warm_up_s": 1.5})
    return Streams(
        chunks_per_s=said["chunks"] / said["seconds"],
        errors=said["errors"],
        first_ms=tuple(said["first_ms"]),
        delays_ms=tuple(said["delays_ms"]),
        client_cores=said["cores"],
        stub_cores=(_cpu(engine) - before) / (time.monotonic() - began),
    )


def _request(peer: Peer, *, paced: bool) -> dict[str, object]:
    prompt = f"Tell me of {uuid.uuid4().hex} and of NUMBER{' ' + PACE if paced else ''}."
    headers = {"Host": "localhost", "Content-Type": "application/json", **peer.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {peer.path} HTTP/1.1\r\n{lines}Content-Length: %d\r\n\r\n"
    return {"port": peer.port, "head": head, "body": peer.body(prompt, stream=True), "timed": paced}


def _call(job: dict[str, object]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.stream_client"]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(job), capture_output=True, text=True, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
