"""The archives that are there: finding one, telling of all, deciding which may go.

Owns those questions. Never makes an archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ia0_daemon.backup import archive_read
from ia0_daemon.backup.errors import BackupError, told
from ia0_daemon.backup.folder import Folder, Named, old_ones
from ia0_daemon.backup.manifest import Manifest

LATEST = "latest"
# Undo archives are for second thoughts, not for history.
KEEP_UNDO = 5


@dataclass(frozen=True)
class Listed:
    """An archive of the folder; ``problem`` says why it is no good."""

    path: Path
    made: datetime
    size: int
    manifest: Manifest | None
    problem: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it is whole and holds a configuration that the daemon takes."""
        return self.manifest is not None and self.manifest.configuration_ok


def listed(named: Named, max_bytes: int) -> Listed:
    """An archive, read as a whole."""
    try:
        size = named.path.stat().st_size
        return Listed(named.path, named.made, size, archive_read.verify(named.path, max_bytes))
    except OSError as error:
        return Listed(named.path, named.made, 0, None, told(error))
    except BackupError as error:
        return Listed(named.path, named.made, size, None, "; ".join([str(error), *error.details]))


def find(folder: Folder, name: str, purpose: str = "backup") -> Path:
    """The archive that is meant: ``latest``, a name in the folder, or a path."""
    if name == LATEST:
        found = folder.archives(purpose)
        if not found:
            what = "archive" if purpose == "backup" else "restore to undo"
            raise BackupError(f"{folder.path}: there is no {what} yet")
        return found[0].path
    path = Path(name)
    return path if "/" in name or path.exists() else folder.path / name


def may_go(folder: Folder, keep: int, keep_age_s: float, max_bytes: int, now: datetime) -> list[Named]:
    """What retention deletes: too many or too old; but never the newest good one."""
    backups = folder.archives("backup")
    old = old_ones(backups, keep, keep_age_s, now)
    if old:
        kept = _newest_good(backups, max_bytes)
        old = [named for named in old if named != kept]
    undos = folder.archives("undo")
    return old + [named for named in old_ones(undos, KEEP_UNDO, keep_age_s, now) if named != undos[0]]


def _newest_good(backups: list[Named], max_bytes: int) -> Named | None:
    """The newest that is whole and has a right configuration; else the newest that is whole."""
    whole: Named | None = None
    for named in backups:
        read = listed(named, max_bytes)
        if read.is_good:
            return named
        if read.manifest is not None and whole is None:
            whole = named
    return whole
