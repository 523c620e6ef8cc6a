"""A restore that the daemon's user asks root for: ia0-restore.service.

    ask(): name of an archive -> request file -> start the unit
    as root: request -> private copy of the archive -> what root has seen of it -> restore, undoable by root

Everything that the daemon's user wrote is suspect: the request names a file of
the archives' folder and nothing else, the archive is copied before it is read,
and of it only files count that root has seen (`root_part.py`). The undo lies
with root as well. Never called by an operator who is root: that one restores directly.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ia0_daemon.backup import archive_read, root_part
from ia0_daemon.backup.errors import BackupError, RestoreRefused, told
from ia0_daemon.backup.manifest import Entry
from ia0_daemon.backup.plain_file import creating, reading
from ia0_daemon.settings.schema import Settings

UNIT = "ia0-restore.service"
REQUEST = "restore-request.json"
UNDO = "undo"
# A request is one name.
_LONGEST_REQUEST = 4096


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which archive of the folder is to be restored."""

    archive: str


@dataclass(frozen=True)
class Chosen:
    """An archive that root has copied for itself, and which of its files it may put back."""

    path: Path
    files: tuple[Entry, ...]
    left: tuple[str, ...]
    """Files that root has not seen on this host, so that an operator has to restore them as root."""


def request_path(settings: Settings) -> Path:
    """Beside the event history, in the daemon's own folder."""
    return Path(settings.events.path).with_name(REQUEST)


def write(settings: Settings, archive: str) -> None:
    """Ask for an archive of the folder, by its name."""
    path = request_path(settings)
    try:
        path.unlink(missing_ok=True)
        with creating(path) as file:
            file.write(msgspec.json.encode(Request(archive)))
    except OSError as error:
        raise BackupError(f"the request cannot be written: {told(error)}") from error


def read(settings: Settings) -> str:
    """As root: the name that is asked for; RestoreRefused where it is no plain name."""
    path = request_path(settings)
    try:
        with reading(path, follow=False) as file:
            name = msgspec.json.decode(file.read(_LONGEST_REQUEST), type=Request).archive
    except OSError as error:
        raise RestoreRefused(f"there is no request that can be read: {told(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RestoreRefused(f"{path} is no request: {error}") from error
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise RestoreRefused(f"{path}: {name!r} is no name of an archive in {settings.backup.path}")
    return name


@contextmanager
def chosen(settings: Settings, state: Path) -> Iterator[Chosen]:
    """As root: the requested archive in a folder of root's, and what of it may be put back."""
    name = read(settings)
    with tempfile.TemporaryDirectory(dir=state, prefix="restore-") as folder:
        copy = Path(folder) / name
        _copied(Path(settings.backup.path) / name, copy, int(settings.backup.max_bytes))
        with archive_read.opened(copy, int(settings.backup.max_bytes)) as archive:
            entries = archive.manifest.files
        files = tuple(root_part.restorable(entries, root_part.seen(state)))
        if not files:
            raise RestoreRefused(
                f"{name} holds nothing that root has seen on this host; an operator restores it as root: "
                f"`ia0 backup restore {name}`"
            )
        wanted = [entry for entry in entries if entry.kind in root_part.RESTORABLE]
        yield Chosen(copy, files, tuple(entry.origin for entry in wanted if entry not in files))


def _copied(source: Path, target: Path, max_bytes: int) -> None:
    try:
        with reading(source, follow=False) as file, creating(target) as copy:
            if os.fstat(file.fileno()).st_size > max_bytes:
                raise RestoreRefused(f"{source} is larger than backup.max_bytes allows ({max_bytes})")
            shutil.copyfileobj(file, copy)
    except OSError as error:
        raise RestoreRefused(f"the archive cannot be read: {told(error)}") from error
