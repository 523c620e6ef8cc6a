"""`make chaos`: is a request lost when the engine is restarted, killed or stopped under load?

Prints a row for each fault, in which clients, daemon and engine have each their
own count: answered, explicit errors, lost; waited, asked again, went on, asked;
begun, finished, cut. Ends with 1 where a request was lost, a stream did not go
on, a seam is not clean, or the three disagree on any request.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos import agree, scenarios
from tests.chaos.world import world

ENGINE = {
    "OLLAMA_NUM_PARALLEL": "8",
    "OLLAMA_CONTEXT_LENGTH": "1024",
    "LLAMA_ARG_THREADS": "1",
    "LLAMA_ARG_CACHE_RAM": "256",
}
SECTIONS: dict[str, dict[str, object]] = {
    # Fewer slots than callers: the others wait in the daemon's queue, across the restarts, too.
    "engine": {"poll_interval_s": 0.5, "timeout_s": 60, "first_token_timeout_s": 180, "parallel": 8},
    "admission": {"queue_timeout_s": 120},
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
    _say(f"{'':26} {'under way':>12}   {'clients':>17}   {'daemon':>31}   {'engine':>18}")
    _say(
        f"{'fault':26} {'open':>4} {'writing':>7}   {'answ.':>5} {'error':>5} {'lost':>5}   "
        f"{'answ.':>5} {'waited':>6} {'again':>5} {'went on':>7} {'asked':>5}   "
        f"{'begun':>5} {'finish.':>7} {'cut':>4}  {'s':>5}"
    )
    with world(folder, ENGINE, SECTIONS, with_keys=True) as made:
        rows = scenarios.run(made, restarts, _show)
        trials = scenarios.trials(made)
    faults = [f"{row.name.strip()}: {fault}" for row in rows for fault in row.faults]
    faults += _in_all(rows, restarts)
    _say_sums(rows, trials)
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
        f"{row.name:26} {row.at['requests']:4} {row.at['writing']:7}   "
        f"{count.answered:5} {count.error:5} {count.lost:5}   "
        f"{count.daemon_answered:5} {count.waited:6} {count.again:5} {count.went_on:7} {count.asked:5}   "
        f"{count.begun:5} {count.finished:7} {count.cut:4}  {row.seconds:5.1f}"
    )


def _say_sums(rows: list[scenarios.Row], trials: int) -> None:
    """Say the three counts, and how the engine's follows from the clients'."""
    all_ = scenarios.totals(rows)
    sent = sum(row.sent for row in rows)
    _say(f"clients: sent {sent}, answered {all_.answered}, explicit errors {all_.error}, lost {all_.lost}")
    _say(
        f"daemon:  answered {all_.daemon_answered}; waited {all_.waited}, asked again {all_.again}, "
        f"went on {all_.went_on}; asked the engine {all_.asked} times"
    )
    _say(
        f"engine:  began {all_.begun} answers, finished {all_.finished}, {all_.cut} were cut; "
        f"{all_.asked - all_.begun} askings were cut before it began them; {trials} for the daemon itself"
    )
    _say(
        f"agreed:  {all_.finished} finished = {all_.answered} answered - {all_.at_length} cut behind their "
        f"last token + {all_.unheard} finished unheard"
    )


def _in_all(rows: list[scenarios.Row], restarts: int) -> list[str]:
    """What only all rows together can show."""
    all_ = scenarios.totals(rows)
    faults = agree.sums_disagree(all_)
    sent, ended = sum(row.sent for row in rows), all_.answered + all_.error + all_.lost
    if sent != ended:
        faults.append(f"{sent} requests were sent, and {ended} came to an end")
    if all_.went_on < restarts:  # a run in which nothing was ever cut proves nothing
        faults.append(f"only {all_.went_on} streams went on: the faults hit nothing")
    return faults


if __name__ == "__main__":
    sys.exit(main())
