"""The file systems of the folders that fill up.

Owns the look at them. A folder that does not exist yet stands for the one above it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ia0_daemon.supervisor.samples import Disk


def read_disks(paths: Iterable[str]) -> tuple[Disk, ...]:
    """Each folder's file system; folders that are closed to this user are left out."""
    return tuple(_disks(dict.fromkeys(path for path in paths if path)))


def _disks(paths: Iterable[str]) -> Iterator[Disk]:
    for path in paths:
        try:
            stat = os.statvfs(_existing(Path(path)))
        except OSError:
            continue
        yield Disk(path, stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize)


def _existing(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if each.exists()), path)
