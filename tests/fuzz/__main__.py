"""Bad requests by the thousand: `python -m tests.fuzz`, or `make fuzz`.

    start daemons -> fire at every route -> look at logs and seats -> a table, pass or fail

Fails where an answer was a failure of the daemon's, came late, had another shape than its clients read, where
a log has a traceback, and where a seat is still taken at the end.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.daemon_process import DaemonProcess, get
from tests.fuzz.daemons import fuzzed
from tests.fuzz.run import Aim, Tally, fire_all


def main(words: list[str] | None = None) -> int:
    """Run, print, and give the exit code."""
    options = _options(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with fuzzed(folder) as (open_one, admin, key):
            aim = Aim(open_one.port, admin.port, key, options.shots, options.seed)
            began = time.monotonic()
            tallies = [_told(tally) for tally in fire_all(aim, options.processes)]
            took_s = time.monotonic() - began
            after = [fault for daemon in (open_one, admin) for fault in afterwards(daemon)]
            open_one.allow_traceback = admin.allow_traceback = True  # it is told here, with all else

            return _verdict(tallies, after, took_s)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--shots", type=int, default=2000, help="bad requests per route (2000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other requests (1)")
    parser.add_argument("--processes", type=int, default=6, help="routes that are fired at at a time (6)")
    return parser.parse_args(words)


def _told(tally: Tally) -> Tally:
    statuses = "  ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items()))
    _say(f"{tally.route:<32} {tally.shots:>6} shots   {statuses}")
    return tally


def afterwards(daemon: DaemonProcess) -> Iterable[str]:
    """Look whether the daemon is as it was: alive, no seat taken, the log as it should be."""
    daemon.wait_for(lambda: json.loads(get(daemon.health_port, "/health")[1])["in_flight"] == 0)
    log = daemon.log()
    tracebacks = log.count("Traceback")
    if tracebacks:
        at = log.index("Traceback")
        yield f"{tracebacks} tracebacks in the log, the first: {log[max(0, at - 500) : at + 3000]}"
    odd = [line for line in log.split("\n") if line and not line.startswith("{")]
    if odd and not tracebacks:
        yield f"lines of the log that are no JSON: {odd[:3]}"
    errors = re.findall(r'.*"level": ?"(?:ERROR|CRITICAL)".*', log)
    if errors and not tracebacks:
        yield f"errors in the log: {errors[:3]}"


def _verdict(tallies: list[Tally], after: list[str], took_s: float) -> int:
    total = sum(tally.shots for tally in tallies)
    _say(f"\n{total} bad requests at {len(tallies)} routes in {took_s:.0f} s")
    for tally in tallies:
        for fault, count in tally.faults.most_common():
            _say(f"\nFAULT, {count} times: {tally.route}: {fault}")
            for data in tally.examples[fault]:
                _say(f"    sent: {data[:600]!r}")
    for fault in after:
        _say(f"\nFAULT: {fault}")
    is_good = not after and not any(tally.faults for tally in tallies)
    _say("No fault was found." if is_good else "Faults were found.")
    return 0 if is_good else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
