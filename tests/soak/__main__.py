"""Measures the daemon's memory: `python -m tests.soak`, or `make soak`.

    start engine and daemon -> warm up -> measure -> 20,000 requests -> measure -> pass or fail

The engine is a process of its own, and so are the callers: what is measured is
the daemon alone. Fails where the daemon is larger than it may be, where it
grows, and where one request got another outcome than was meant.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.daemon_process import DaemonProcess, get, service_environment
from tests.soak.crowd import Arrivals, Crowd

MOST_RSS_BYTES = 100_000_000
MOST_GROWTH_BYTES = 50
# Between two looks at the memory, so that a leak shows as a slope.
PORTION = 2000


@dataclass(frozen=True)
class Memory:
    """A process' resident memory in bytes: its own (anonymous), and all."""

    anonymous: int
    rss: int

    @classmethod
    def of(cls, pid: int) -> Memory:
        """Read it from /proc."""
        text = Path(f"/proc/{pid}/status").read_text()
        kib = {name: int(value) for name, value in re.findall(r"^(RssAnon|VmRSS):\s+(\d+) kB", text, re.M)}
        return cls(kib["RssAnon"] * 1024, kib["VmRSS"] * 1024)


def main() -> int:
    """Run, print, and give the exit code."""
    options = _options()
    engine_command = [sys.executable, "-m", "tests.soak.engine"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            engine_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as engine,
    ):
        assert engine.stdout is not None
        url = engine.stdout.readline().strip()
        # A cut is meant to be an error here: `make chaos` measures what becomes of it otherwise.
        sections = {"engine": {"timeout_s": 60, "poll_interval_s": 1}, "restart": {"max_resumes": 0}}
        daemon = DaemonProcess(Path(folder), url, sections)
        daemon.environ.update(service_environment())
        with daemon:
            crowd = Crowd(daemon.port, Arrivals(engine.stdout), options.callers, options.seed)
            passed = _soak(daemon, crowd, options.warm_up, options.requests)
        engine.stdin.close()  # type: ignore[union-attr]  # it is a pipe
        engine.wait(30)
    return 0 if passed else 1


def _soak(daemon: DaemonProcess, crowd: Crowd, warm_up: int, requests: int) -> bool:
    _say(f"{'requests':>9} {'RssAnon':>12} {'RSS':>12} {'seconds':>8}")
    began = time.monotonic()
    _play(daemon, crowd, warm_up)
    before = _look(daemon, warm_up, began)
    for done in range(0, requests, PORTION):
        _play(daemon, crowd, min(PORTION, requests - done))
        after = _look(daemon, warm_up + min(done + PORTION, requests), began)
    return _judge(before, after, requests) & _judge_outcomes(crowd, daemon)


def _play(daemon: DaemonProcess, crowd: Crowd, requests: int) -> None:
    crowd.play(requests)
    # Who left is noticed a little later; only then is the request's memory free.
    daemon.wait_for(lambda: sum(_counted(daemon).values()) >= sum(crowd.meant.values()))


def _look(daemon: DaemonProcess, requests: int, began: float) -> Memory:
    memory = Memory.of(daemon.pid)
    _say(f"{requests:>9} {memory.anonymous:>12,} {memory.rss:>12,} {time.monotonic() - began:>8.1f}")
    return memory


def _judge(before: Memory, after: Memory, requests: int) -> bool:
    growth = max(after.anonymous - before.anonymous, after.rss - before.rss) / requests
    _say(f"growth: {growth:.1f} bytes a request; at most {MOST_GROWTH_BYTES}")
    _say(f"resident: {after.rss:,} bytes; at most {MOST_RSS_BYTES:,}")
    passed = growth < MOST_GROWTH_BYTES and after.rss <= MOST_RSS_BYTES
    _say("memory: passed" if passed else "memory: FAILED")
    return passed


def _judge_outcomes(crowd: Crowd, daemon: DaemonProcess) -> bool:
    counted = _counted(daemon)
    for fault in crowd.faults[:20]:
        _say(f"another outcome: {fault}")
    for code in sorted(crowd.meant | counted):
        differs = "" if crowd.meant[code] == counted[code] else "  <- differs"
        _say(f"{code:>24}: meant {crowd.meant[code]:>6}, counted by the daemon {counted[code]:>6}{differs}")
    left = daemon.metric("ia0_in_flight")
    passed = not crowd.faults and crowd.meant == counted and left == 0
    failed = f"outcomes: FAILED ({len(crowd.faults)} faults, {left:g} in flight)"
    _say("outcomes: passed" if passed else failed)
    return passed


def _counted(daemon: DaemonProcess) -> Counter[str]:
    """What the daemon has counted so far, by code, without the probes of the health listener."""
    text = get(daemon.health_port, "/metrics")[1].decode()
    counted: Counter[str] = Counter()
    for labels, value in re.findall(r"^ia0_requests_total\{(.*)\} (\S+)$", text, re.MULTILINE):
        if 'route="/health' not in labels and 'route="/metrics"' not in labels:
            code = re.search(r'code="(\w+)"', labels)
            counted[code[1] if code else labels] += int(float(value))
    return counted


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Measure the daemon's memory.")
    parser.add_argument("--warm-up", type=int, default=2000, help="requests before the first look")
    parser.add_argument("--requests", type=int, default=20_000, help="requests after it")
    parser.add_argument("--callers", type=int, default=16, help="how many ask at once")
    parser.add_argument("--seed", type=int, default=7, help="of the mix of requests")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
