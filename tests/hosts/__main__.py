"""`make hosts`: the scenarios on hosts that boot systemd, one after another or a few side by side.

    python -m tests.hosts                           all of them
    python -m tests.hosts upgrade                   one
    python -m tests.hosts --step converge upgrade   one step of Molecule's, and the hosts stay

Makes first what all of them need and what is not there yet: the images, the releases, the models. Prints
the list before and the seconds of each as they end; ends with 1 where one failed.
"""

from __future__ import annotations

import argparse
import fcntl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.hosts import needs, report
from tests.hosts.models import make_models
from tests.hosts.places import CACHE, REPORT, SHARED
from tests.hosts.releases import make_releases
from tests.hosts.run import Ran, run_scenario, scenarios

IMAGES = ("trixie", "bookworm")


def main() -> int:
    """Run what was asked for; gives the exit code."""
    options = _options()
    unknown = sorted(set(options.scenarios) - set(scenarios()))
    if unknown:
        return _fail(f"no such scenario: {', '.join(unknown)}; there are: {', '.join(scenarios())}")
    try:
        needs.check()
    except needs.Missing as missing:
        return _fail(str(missing))
    wanted = options.scenarios or scenarios()
    _say(f"Scenarios: {' '.join(wanted)}")
    _prepare()
    rows = [_tell(row) for row in _run(wanted, options.step, options.jobs)]
    if options.step == "test":
        report.write(REPORT, rows)
    return 0 if all(row.passed for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenarios", nargs="*", help="which ones; all of them where none is named")
    parser.add_argument(
        "--step", default="test", help="Molecule's step: test, create, converge, verify, destroy"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many scenarios side by side")
    return parser.parse_args()


def _prepare() -> None:
    """Make what is made once; whoever else runs scenarios of this clone waits meanwhile."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Side by side: on a bare machine an image takes half a minute, most of it one process or the network.
        with ThreadPoolExecutor(len(IMAGES)) as pool:
            images = [pool.submit(_make_image, suite) for suite in IMAGES]
            make_models()
            make_releases()
        for image in images:
            image.result()


def _make_image(suite: str) -> None:
    subprocess.run([SHARED / "image/make_image.sh", suite], check=True)


def _run(names: Sequence[str], step: str, jobs: int) -> Iterator[Ran]:
    shown = len(names) == 1
    with ThreadPoolExecutor(jobs) as pool:
        started = [pool.submit(run_scenario, name, step, shown=shown) for name in names]
        for future in as_completed(started):
            yield future.result()


def _tell(row: Ran) -> Ran:
    if not row.passed:
        _say(f"{row.tail()}\n")
    _say(f"  {row.name:<12} {row.seconds:5.0f} s  {'passed' if row.passed else f'FAILED: {row.log}'}")
    return row


def _say(text: str) -> None:
    """The report is this program's output, line by line as it comes."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fail(text: str) -> int:
    sys.stderr.write(f"make hosts: {text}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
