"""Puts one file in place: the old one or the new one is there at any moment, never a part.

Owns the temporary file beside the target, its mode and owner, and the refusal of symbolic links: every
step goes through the folder's descriptor, so that nobody can exchange a folder for a link in between.

    prepare (everything that can fail) -> commit (one rename)   or   abort
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

from ia0_daemon.backup.errors import RestoreRefused, told
from ia0_daemon.backup.manifest import Entry
from ia0_daemon.backup.plain_file import creating

_PRIVATE_FOLDER = 0o700


class Replacement:
    """One file on its way to its place. ``close`` in any case."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = _make_folders(path.parent)
        self._folder = _open_folder(path.parent)
        self._temporary = f".{path.name[:200]}.ia0-new"
        self._ready = False
        _refuse_special(path, self._folder)

    def prepare(self, entry: Entry, content: IO[bytes]) -> None:
        """Write the new file beside the old one, whole, on the disk, with its mode and owner."""
        self._discard()
        with creating(self._temporary, self._folder) as target:
            self._ready = True
            descriptor = target.fileno()
            shutil.copyfileobj(content, target)
            target.flush()
            if os.geteuid() == 0:  # nobody else may give a file away
                os.fchown(descriptor, *_owner(entry))
            os.fchmod(descriptor, entry.mode)
            os.fsync(descriptor)

    def commit(self) -> None:
        """Let the new file take the name."""
        os.rename(self._temporary, self.path.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._ready = False
        self._made = []
        os.fsync(self._folder)

    def delete(self) -> None:
        """Take the file at the path away."""
        with suppress(FileNotFoundError):
            os.unlink(self.path.name, dir_fd=self._folder)
        os.fsync(self._folder)

    def close(self) -> None:
        """Leave nothing behind but what was committed."""
        if self._ready:
            self._discard()
        os.close(self._folder)
        for folder in reversed(self._made):
            with suppress(OSError):  # another file's, or gone
                folder.rmdir()

    def _discard(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._temporary, dir_fd=self._folder)


def _make_folders(path: Path) -> list[Path]:
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    made: list[Path] = []
    try:
        for folder in reversed(missing):
            folder.mkdir(_PRIVATE_FOLDER)
            made.append(folder)
            _like_parent(folder)
    except OSError as error:
        raise RestoreRefused(f"a folder cannot be made: {told(error)}; nothing was touched") from error
    return made


def _like_parent(folder: Path) -> None:
    """A new folder is its parent's owner's, so that the engine's user can enter what lies in its home."""
    state = folder.parent.stat()
    if os.geteuid() == 0:
        os.chown(folder, state.st_uid, state.st_gid)
    folder.chmod(stat.S_IMODE(state.st_mode) & 0o755)


def _open_folder(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RestoreRefused(f"{told(error)}; nothing was touched") from error
    real = str(Path(f"/proc/self/fd/{descriptor}").readlink())
    if real != str(path):
        os.close(descriptor)
        raise RestoreRefused(f"{path} leads through a symbolic link to {real}; nothing was touched")
    return descriptor


def _refuse_special(path: Path, folder: int) -> None:
    try:
        state = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(state.st_mode):
        os.close(folder)
        what = "a symbolic link" if stat.S_ISLNK(state.st_mode) else "no plain file"
        raise RestoreRefused(f"{path} is {what}; nothing was touched")


def _owner(entry: Entry) -> tuple[int, int]:
    """By name first: the same user may have another number on another host."""
    uid, gid = entry.uid, entry.gid
    with suppress(KeyError):
        uid = pwd.getpwnam(entry.owner).pw_uid
    with suppress(KeyError):
        gid = grp.getgrnam(entry.group).gr_gid
    return uid, gid
