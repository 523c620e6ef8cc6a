"""The folder of the archives: names, order, the lock, what a crash left, what is old.

Owns which file is an archive by its name. Never reads one (``archive_read.py`` does).

    names carry purpose, host and UTC time:  ia0-backup-gpu-a-20260102T030405.678901Z.tar.gz
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ia0_daemon.backup.archive_write import UNFINISHED_PREFIX
from ia0_daemon.backup.errors import BackupError, Busy, told
from ia0_daemon.backup.plain_file import give_to_folders_owner

SUFFIX = ".tar.gz"
_TIME = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(r"ia0-(backup|undo)-([A-Za-z0-9.-]+)-([0-9]{8}T[0-9]{6}\.[0-9]{6}Z)" + re.escape(SUFFIX))
_LOCK = ".lock"
_LOOK_S = 0.05


@dataclass(frozen=True)
class Named:
    """A file whose name says that it is an archive."""

    path: Path
    purpose: str
    made: datetime


def host_part(host: str) -> str:
    """A host's name as a file's name may hold it."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", host) or "host"


class Folder:
    """One folder of archives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Make the folder for its owner alone; BackupError if it is there and others may enter it."""
        try:
            if not self.path.exists():
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # another may be making it now
                give_to_folders_owner(self.path)
            state = self.path.stat()
        except OSError as error:
            raise BackupError(f"the folder of the backups cannot be made: {told(error)}") from error
        if stat.S_IMODE(state.st_mode) & 0o077:
            raise BackupError(
                f"{self.path}: others may enter it (mode {stat.S_IMODE(state.st_mode):04o}), and archives "
                f"hold keys; chmod 0700 it, or choose another (backup.path)"
            )

    def new_name(self, purpose: str, host: str, now: datetime) -> tuple[Path, datetime]:
        """A name that is free and newer than every other; for whoever holds the lock."""
        made = now.astimezone(UTC)
        # A clock that was set back must not make the newest archive look old.
        made = max([made, *(other.made + timedelta(microseconds=1) for other in self.archives())])
        name = f"ia0-{purpose}-{host_part(host)}-{made.strftime(_TIME)}{SUFFIX}"
        return self.path / name, made

    def archives(self, purpose: str | None = None) -> list[Named]:
        """The archives by name, the newest first; none where there is no folder."""
        try:
            names = sorted(self.path.iterdir()) if self.path.is_dir() else []
        except OSError as error:
            raise BackupError(f"the folder of the backups cannot be read: {told(error)}") from error
        found = [named for name in names if (named := _named(name)) is not None]
        wanted = [named for named in found if purpose in (None, named.purpose)]
        return sorted(wanted, key=lambda named: named.made, reverse=True)

    @contextmanager
    def locked(self, wait_s: float) -> Iterator[None]:
        """Be alone in the folder, the command and the daemon alike; Busy if another stays too long."""
        self.make()
        try:
            descriptor = os.open(
                self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise BackupError(f"the folder of the backups cannot be locked: {told(error)}") from error
        try:
            give_to_folders_owner(self.path / _LOCK)
            _acquire(descriptor, wait_s, self.path)
            self._sweep()
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder beside the archives for the time of the ``with``."""
        with tempfile.TemporaryDirectory(dir=self.path, prefix=UNFINISHED_PREFIX) as name:
            yield Path(name)

    def _sweep(self) -> None:
        """Take away what a process that was killed left; it held the lock, so nobody is at it."""
        for path in self.path.glob(f"{UNFINISHED_PREFIX}*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _named(path: Path) -> Named | None:
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    try:
        made = datetime.strptime(found[3], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Named(path, found[1], made)


def _acquire(descriptor: int, wait_s: float, folder: Path) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise Busy(
                    f"{folder}: another backup or restore is running; try again when it is done"
                ) from None
            time.sleep(_LOOK_S)
        else:
            return


def old_ones(archives: Sequence[Named], keep: int, keep_age_s: float, now: datetime) -> list[Named]:
    """Those that are too many or too old, of archives that are sorted with the newest first."""
    return [
        named
        for index, named in enumerate(archives)
        if index >= keep or (keep_age_s and (now - named.made).total_seconds() > keep_age_s)
    ]
