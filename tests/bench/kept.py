"""`python -m tests.bench.kept`: how much of the daemon's own time a kept answer takes, by its log.

an engine that answers at once -> the same determined request again and again -> the log's `daemon_ms`
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import requests

from tests.daemon_process import DaemonProcess
from tests.scripted_engine import ScriptedEngine

# The first ones ask the engine, and warm everything up.
REQUESTS, WARM_UP = 500, 20
TEXT = "Say it again. " * 100
ROUTES: dict[str, dict[str, object]] = {
    "/llm/generate": {"prompt": TEXT, "params": {"temperature": 0}},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": TEXT}], "temperature": 0},
    "/api/chat": {
        "messages": [{"role": "user", "content": TEXT}],
        "options": {"temperature": 0},
        "stream": False,
    },
}


def main() -> int:
    """Measure and print; 1 where an answer was not a kept one."""
    are_kept = True
    with (
        tempfile.TemporaryDirectory(prefix="ia0-kept-") as scratch,
        ScriptedEngine() as engine,
        DaemonProcess(Path(scratch), engine.url) as daemon,
    ):
        sys.stdout.write(f"{'':24} {'p50 ms':>8} {'p99 ms':>8}\n")
        for route, body in ROUTES.items():
            times, were_kept = _times(daemon, route, body)
            are_kept &= were_kept
            p99 = sorted(times)[int(len(times) * 0.99)]
            sys.stdout.write(f"{route:24} {statistics.median(times):8.2f} {p99:8.2f}\n")
    return 0 if are_kept else 1


def _times(daemon: DaemonProcess, route: str, body: dict[str, object]) -> tuple[list[float], bool]:
    with requests.Session() as session:
        for _ in range(REQUESTS):
            session.post(daemon.url + route, json=body, timeout=60).raise_for_status()
    daemon.wait_for(lambda: len(daemon.log_lines(event="request", route=route)) >= REQUESTS)
    lines = daemon.log_lines(event="request", route=route)[WARM_UP:]
    return [line["daemon_ms"] for line in lines], all(line.get("cached") for line in lines)


if __name__ == "__main__":
    sys.exit(main())
