"""Brings what is to be saved into a scratch folder, so that it no longer changes.

Owns reading the host's files safely: no symbolic links, no devices, bounded. Never writes an archive.

    place -> files below it -> one read, hashed on the way -> Staged(entry, copy)
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader
from pathlib import Path

from ia0_daemon.backup import history
from ia0_daemon.backup.archive_write import Staged
from ia0_daemon.backup.errors import BackupError, told
from ia0_daemon.backup.manifest import Entry, Kind, is_place, member_of
from ia0_daemon.backup.places import Place
from ia0_daemon.backup.plain_file import reading

_CHUNK = 1 << 20
# A folder that is named by mistake (/, /home) must not be walked for hours.
_MOST_FILES = 20_000


class _Left(Exception):
    """A file that is not saved, and why."""


@dataclass
class Collection:
    """What was collected into one scratch folder, and what was not."""

    scratch: Path
    max_bytes: int
    staged: list[Staged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bytes: int = 0
    open_file: Callable[[Path], BufferedReader] = field(default=partial(reading, follow=False))
    """Opens what is saved; root looks closer (`trusted_file.py`)."""

    def add_place(self, place: Place) -> None:
        """Save what is at a place; a note says what could not be, BackupError if it had to."""
        try:
            found = list(_files(place))
        except OSError as error:
            found = []
            self._left(place, told(error))
        if not found and place.required:
            raise BackupError(f"{place.path}: there is no such file, and a backup without it is none")
        for path in found:
            self._add_file(place, path)

    def add_text(self, member: str, kind: Kind, text: str) -> None:
        """Save a text that stands in no file of the host."""
        copy, content = self._copy(), text.encode()
        self._take(len(content))
        copy.write_bytes(content)
        entry = Entry(
            member=member,
            kind=kind,
            origin="",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            mode=0o600,
            uid=os.geteuid(),
            gid=os.getegid(),
            owner=_user(os.geteuid()),
            group=_group(os.getegid()),
        )
        self.staged.append(Staged(entry, copy))

    def add_copy(self, entry: Entry, source: BufferedReader) -> None:
        """Take over a file that root has read; BackupError where it is not what root says."""
        copy, size, sha256 = self._read(source)
        if (size, sha256) != (entry.size, entry.sha256):
            raise BackupError(f"{entry.origin}: what root has collected is damaged")
        self.staged.append(Staged(entry, copy))

    def _add_file(self, place: Place, path: Path) -> None:
        if len(self.staged) >= _MOST_FILES:
            raise BackupError(
                f"{place.path}: there are more than {_MOST_FILES} files to save; name a smaller folder"
            )
        try:
            saved = self._history(path) if place.kind is Kind.HISTORY else self._file(place.kind, path)
        except _Left as error:
            self._left(place, str(error), path)
        else:
            self.staged.append(saved)

    def _left(self, place: Place, why: str, path: Path | None = None) -> None:
        if place.required:
            raise BackupError(f"{path or place.path} cannot be saved: {why}; nothing was written")
        self.notes.append(f"{path or place.path}: not saved: {why}")

    def _file(self, kind: Kind, path: Path) -> Staged:
        if not is_place(str(path)) or str(path) != str(path).encode("utf-8", "replace").decode():
            raise _Left("its name has characters that an archive cannot hold")
        with self._readable(path) as source:
            state = os.fstat(source.fileno())
            copy, size, sha256 = self._read(source)
        return Staged(_entry(kind, path, state, size, sha256), copy)

    def _read(self, source: BufferedReader) -> tuple[Path, int, str]:
        """Read it once: the copy, its size, and its SHA-256."""
        copy, digest, size = self._copy(), hashlib.sha256(), 0
        with copy.open("xb") as target:
            for chunk in _chunks(source):
                self._take(len(chunk))
                size += len(chunk)
                digest.update(chunk)
                # A disk that is full here is the backup's failure, not the file's.
                target.write(chunk)
        return copy, size, digest.hexdigest()

    def _history(self, path: Path) -> Staged:
        """SQLite's own backup: the daemon may be writing, and the newest events are in the WAL."""
        copy = self._copy()
        try:
            history.copy(path, copy)
        except history.HistoryError as error:
            raise _Left(str(error)) from None
        size = copy.stat().st_size
        self._take(size)
        with copy.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Staged(_entry(Kind.HISTORY, path, path.stat(), size, digest), copy)

    def _readable(self, path: Path) -> BufferedReader:
        try:
            return self.open_file(path)
        except OSError as error:
            raise _Left(error.strerror or str(error)) from error

    def _copy(self) -> Path:
        return self.scratch / f"{len(self.staged)}.copy"

    def _take(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.max_bytes:
            raise BackupError(
                f"there are more than {self.max_bytes} bytes to save (backup.max_bytes); nothing was written"
            )


def _chunks(source: BufferedReader) -> Iterator[bytes]:
    try:
        while chunk := source.read(_CHUNK):
            yield chunk
    except OSError as error:
        raise _Left(told(error)) from error


def _files(place: Place) -> Iterator[Path]:
    if place.path.is_symlink():
        raise OSError(None, "it is a symbolic link", str(place.path))
    if not place.path.exists():
        return
    if not place.path.is_dir():
        yield place.path
        return
    for folder, folders, names in os.walk(place.path, onerror=_raise):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _raise(error: OSError) -> None:
    raise error


def _entry(kind: Kind, path: Path, state: os.stat_result, size: int, sha256: str) -> Entry:
    return Entry(
        member=member_of(str(path)),
        kind=kind,
        origin=str(path),
        size=size,
        sha256=sha256,
        mode=stat.S_IMODE(state.st_mode) & 0o777,
        uid=state.st_uid,
        gid=state.st_gid,
        owner=_user(state.st_uid),
        group=_group(state.st_gid),
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""
