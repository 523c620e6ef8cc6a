"""`make cost`: what the whole idle daemon costs, supervisor included, at its default intervals.

Ends with 1 where it is more than 1 % of a core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.chaos.world import world

MOST_PERCENT = 1.0
# The start's own work is over by then, in seconds.
WARM_UP_S = 5.0


def main() -> int:
    """Measure; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ia0-cost-") as folder, world(Path(folder), {}, {}) as made:
        daemon = psutil.Process(made.daemon.pid)
        time.sleep(WARM_UP_S)
        began, before = time.monotonic(), sum(daemon.cpu_times()[:2])
        time.sleep(options.seconds)
        percent = 100 * (sum(daemon.cpu_times()[:2]) - before) / (time.monotonic() - began)
        rss = daemon.memory_info().rss / 2**20
    sys.stdout.write(
        f"idle daemon: {percent:.2f} % of a core ({MOST_PERCENT:g} allowed), {rss:.0f} MiB resident\n"
    )
    return 0 if percent <= MOST_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
