"""`make chaos`: is a request lost when the engine is restarted, killed or stopped under load?

Prints a row for each fault: sent, answered, waited, asked again, went on,
explicit errors, lost. Ends with 1 where a request was lost, a stream did not go
on, a seam is not clean, or client, daemon and engine disagree.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos import scenarios
from tests.chaos.world import world

ENGINE = {
    "OLLAMA_NUM_PARALLEL": "8",
    "OLLAMA_CONTEXT_LENGTH": "1024",
    "LLAMA_ARG_THREADS": "1",
    "LLAMA_ARG_CACHE_RAM": "256",
}
SECTIONS: dict[str, dict[str, object]] = {
    "engine": {"poll_interval_s": 0.5, "timeout_s": 60, "first_token_timeout_s": 180},
    "memory": {"sample_interval_s": 0.5},
    # Shorter than the streams, so that every restart cuts some of them.
    "restart": {
        "drain_timeout_s": 1.5,
        "stall_s": 15,
        "cooldown_s": 0,
        "max_restarts": 100,
        "max_resumes": 20,
    },
    "models.small": {"num_ctx": 1024},
}


def main() -> int:
    """Run it; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=20, help="forced restarts in a row")
    parser.add_argument("--folder", type=Path, help="keep configuration and logs here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ia0-chaos-") as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        return _run(folder, options.restarts)


def _run(folder: Path, restarts: int) -> int:
    _say(
        f"{'fault':26} {'open':>4} {'writing':>7} {'sent':>5} {'answ.':>5} {'waited':>6} {'again':>5} "
        f"{'went on':>7} {'error':>5} {'lost':>4}  {'s':>5}"
    )
    with world(folder, ENGINE, SECTIONS) as made:
        rows = scenarios.run(made, restarts, _show)
        faults = [fault for row in rows for fault in row.faults]
        faults += _not_cut(rows, restarts)
    _say("in all: " + ", ".join(f"{name} {number}" for name, number in scenarios.totals(rows)))
    for fault in faults:
        _say(f"FAULT {fault}")
    _say(f"{len(rows) - 1} faults survived, nothing lost" if not faults else f"{len(faults)} faults found")
    return 1 if faults else 0


def _say(text: str) -> None:
    """The report is this program's output, line by line as it comes."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _show(row: scenarios.Row) -> None:
    count = row.count
    _say(
        f"{row.name:26} {row.at['requests']:4} {row.at['writing']:7} {row.sent:5} {count['answered']:5} "
        f"{count['waited']:6} {count['asked again']:5} {count['went on']:7} {count['error']:5} "
        f"{count['lost']:4}  {row.seconds:5.1f}"
    )


def _not_cut(rows: list[scenarios.Row], restarts: int) -> list[str]:
    """A run in which nothing was ever cut proves nothing."""
    went_on = sum(row.count["went on"] for row in rows)
    return [] if went_on >= restarts else [f"only {went_on} streams went on: the faults hit nothing"]


if __name__ == "__main__":
    sys.exit(main())
