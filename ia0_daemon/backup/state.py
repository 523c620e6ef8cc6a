"""What is remembered of the last backup and the last restore test, across processes.

Owns ``state.json`` in the folder of the archives. Never decides whether something went well.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from ia0_daemon.backup.plain_file import give_to_folders_owner

_NAME = "state.json"
_LARGEST = 64 * 1024


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The last try of something. Times are seconds since 1970; 0: never."""

    tried_at: float = 0.0
    ok_at: float = 0.0
    ok: bool = False
    error: str = ""
    archive: str = ""
    size: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics and ``ia0 backup list`` tell."""

    backup: Outcome = Outcome()
    restore_test: Outcome = Outcome()


def read(folder: Path) -> State:
    """What is remembered; nothing where there is no file, or a damaged one."""
    try:
        with (folder / _NAME).open("rb") as file:
            return msgspec.json.decode(file.read(_LARGEST), type=State)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return State()


def write(folder: Path, state: State) -> None:
    """Remember, where the disk lets us: a full one must not hide why a backup failed."""
    temporary = folder / f".{_NAME}.new"
    with suppress(OSError):
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        temporary.chmod(0o600)
        give_to_folders_owner(temporary)
        temporary.replace(folder / _NAME)


def success(now: float, archive: str, size: int = 0) -> Outcome:
    """A try that went well."""
    return Outcome(tried_at=now, ok_at=now, ok=True, archive=archive, size=size)


def failure(before: Outcome, now: float, error: str) -> Outcome:
    """A try that did not; the last good one is still known."""
    return msgspec.structs.replace(before, tried_at=now, ok=False, error=error[:1000])
