"""What a look at the memory costs: ``python -m ia0_daemon.supervisor.cost PID``.

    look N times at the engine with this pid -> CPU time of one look -> share of a core at an interval

Owns the measurement alone. The promise is 1 % of a core at the default interval.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from ia0_daemon.settings.schema import Settings
from ia0_daemon.supervisor.read_sample import Sampler, Surroundings
from ia0_daemon.supervisor.sense import Sense

LOOKS = 200
PROMISED_PERCENT = 1.0


@dataclass(frozen=True)
class Cost:
    """What one look cost on average, in seconds."""

    cpu_s: float
    wall_s: float
    children: int

    def percent_of_a_core(self, interval_s: float) -> float:
        """The share of one core when it is done so often."""
        return 100 * self.cpu_s / interval_s


def measure(pid: int, looks: int = LOOKS) -> Cost:
    """Look so often at the engine with this pid, judging included."""
    settings = Settings()
    sense = Sense(Sampler(Surroundings(lambda: pid, lambda: settings)), lambda: settings)
    sample, _ = sense.look()  # the first one imports NVML and reads the manifests
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(looks):
        sample, _ = sense.look()
    cost = Cost(
        (time.process_time() - cpu) / looks,
        (time.perf_counter() - wall) / looks,
        len(sample.engine.children) if sample.engine else 0,
    )
    sense.close()
    return cost


def main() -> int:
    """Print the cost; exit code 1 where it is more than was promised."""
    interval_s = float(Settings().memory.sample_interval_s)
    cost = measure(int(sys.argv[1]))
    share = cost.percent_of_a_core(interval_s)
    sys.stdout.write(
        f"one look at {cost.children} children: {cost.cpu_s * 1000:.2f} ms of CPU, "
        f"{cost.wall_s * 1000:.2f} ms in all; "
        f"every {interval_s:g} s that is {share:.3f} % of a core (promised: {PROMISED_PERCENT:g} %)\n"
    )
    return 0 if share <= PROMISED_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
