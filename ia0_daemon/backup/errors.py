"""What can go wrong with a backup, as a person reads it.

BackupError
  Busy             another backup or restore is running
  DamagedArchive   truncated, altered, incomplete
  ForeignArchive   not ours, of a newer format, of another host, or with names that we never write
  RestoreRefused   nothing was touched, and this is why
  RestoreBroken    stopped midway: each file is old or new, and the undo archive is there
"""

from __future__ import annotations

from collections.abc import Sequence


class BackupError(Exception):
    """A backup or restore that was not done; ``details`` are more lines for a person."""

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = list(details)


class Busy(BackupError):
    """Another process holds the folder."""


class DamagedArchive(BackupError):
    """The archive is not what was written."""


class ForeignArchive(BackupError):
    """The archive was not made by this program, or not for this host."""


class RestoreRefused(BackupError):
    """A restore that was not begun."""


class RestoreBroken(BackupError):
    """A restore that stopped in the middle."""


def told(error: OSError) -> str:
    """An error of the operating system in words, with the file that it is about."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
