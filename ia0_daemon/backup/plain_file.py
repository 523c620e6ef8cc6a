"""Opens plain files and nothing else: a FIFO, a device or a link in a file's place must not hold or fool us.

Owns the flags. Never reads or writes.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader, BufferedWriter
from pathlib import Path

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def reading(path: Path, *, follow: bool = True) -> BufferedReader:
    """A plain file, open for reading; OSError also for what is none."""
    descriptor = os.open(path, _READ if follow else _READ | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is no plain file", str(path))
    return os.fdopen(descriptor, "rb")


def creating(path: Path | str, folder: int | None = None) -> BufferedWriter:
    """A new file for its owner alone; FileExistsError if anything stands there."""
    return os.fdopen(os.open(path, _NEW, 0o600, dir_fd=folder), "wb")


def give_to_folders_owner(path: Path) -> None:
    """What root makes in the daemon's folder is the daemon's, which could not go on otherwise."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
