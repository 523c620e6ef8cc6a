"""The daemons that are fired at: an open one, and one with an administrator's key; the engine is pretended.

Owns their configuration: small bounds, so that large input is refused and not only long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ia0_daemon.keys import new_key
from tests.daemon_process import DaemonProcess
from tests.fuzz.pretended_engine import pretended_engine

BOUNDS = {
    "limits": {"max_tokens": 4, "max_prompt_chars": 4000},
    "server": {"max_body_bytes": 500_000},
}


@contextmanager
def fuzzed(folder: Path) -> Iterator[tuple[DaemonProcess, DaemonProcess, str]]:
    """Start both; gives them and the administrator's key."""
    key, digest = new_key()
    for name in ("open", "admin"):
        (folder / name).mkdir()
    with pretended_engine() as pretended:
        admin = DaemonProcess(folder / "admin", pretended, BOUNDS)
        keys = f'[[auth.keys]]\nname = "admin"\nsha256 = "{digest}"\nadmin = true\n'
        admin.config_path.write_text(admin.config_path.read_text() + keys)
        with DaemonProcess(folder / "open", pretended, BOUNDS) as open_one, admin:
            yield open_one, admin, key
