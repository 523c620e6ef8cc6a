"""A mixed day of traffic: `python -m tests.load`, or `make load USERS=20 MINUTES=5`.

    start engine and daemon, or take URL -> Locust plays a day -> its report, the table, pass or fail

Fails where one answer was not what was meant. A refusal for a key's limits is meant: one of the keys of the
daemon that is started here has few requests a minute.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ia0_daemon.keys import new_key
from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess
from tests.load.ledger import Ledger
from tests.load.report import lines

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / ".cache" / "load"
# Three applications; the last one is to meet its limit.
LIMITS = ({"name": "web"}, {"name": "assistant"}, {"name": "batch", "requests_per_minute": 20})


def main(words: list[str] | None = None) -> int:
    """Run, print, and give the exit code."""
    options = _options(words)
    REPORT.mkdir(parents=True, exist_ok=True)
    ledger_path = REPORT / "ledger.json"
    ledger_path.unlink(missing_ok=True)
    with _daemon(options.url, options.key) as (url, keys):
        _locust(url, keys, options.users, options.minutes, ledger_path)
    ledger = Ledger.load(ledger_path)
    for line in lines(REPORT / "load_stats.csv", ledger):
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"\nLocust's own report: {(REPORT / 'load.html').relative_to(HERE.parents[1])}\n")
    return 1 if ledger.unexpected else 0


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--users", type=int, default=20, help="callers at the busiest hour (20)")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the day takes (5)")
    parser.add_argument("--url", default="", help="a daemon that runs; none: one is started")
    parser.add_argument("--key", default="", help="its key; several with commas between")
    return parser.parse_args(words)


@contextmanager
def _daemon(url: str, key: str) -> Iterator[tuple[str, list[str]]]:
    """Give the address and the keys of what is driven."""
    if url:
        yield url.rstrip("/"), [key] if key else []
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("engine", "daemon"):
            (folder / part).mkdir()
        with EngineProcess(folder / "engine") as engine:
            daemon = DaemonProcess(folder / "daemon", engine.url)
            pairs = [(limits, *new_key()) for limits in LIMITS]
            tables = [_key_table({**limits, "sha256": digest}) for limits, _, digest in pairs]
            daemon.config_path.write_text(daemon.config_path.read_text() + "".join(tables))
            with daemon:
                yield daemon.url, [plain for _, plain, _ in pairs]


def _key_table(fields: Mapping[str, object]) -> str:
    lines_ = (
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
        for name, value in fields.items()
    )
    return "\n".join(["[[auth.keys]]", *lines_, ""])


def _locust(url: str, keys: list[str], users: int, minutes: float, ledger: Path) -> None:
    """Have Locust play the day in a process of its own: it patches the standard library."""
    command = [
        sys.executable, "-m", "locust", "--locustfile", str(HERE / "locustfile.py"), "--headless",
        "--host", url, "--html", str(REPORT / "load.html"), "--csv", str(REPORT / "load"),
        "--exit-code-on-error", "0", "--only-summary", "--loglevel", "WARNING",
    ]  # fmt: skip
    told = {
        "IA0_LOAD_USERS": str(users),
        "IA0_LOAD_SECONDS": str(minutes * 60),
        "IA0_LOAD_KEYS": ",".join(keys),
        "IA0_LOAD_LEDGER": str(ledger),
    }
    root = str(HERE.parents[1])
    environ = os.environ | told | {"PYTHONPATH": root}
    with (REPORT / "locust.log").open("wb") as log:
        subprocess.run(command, cwd=root, env=environ, stdout=log, stderr=log, check=True)


if __name__ == "__main__":
    sys.exit(main())
