"""An archive against the host's present files.

Owns the differences and how they are shown. Never changes a file and never shows a secret.

    entry and present file -> same | changed | missing -> unified diff, secrets hidden
"""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ia0_daemon.backup.archive_read import Archive
from ia0_daemon.backup.errors import BackupError, told
from ia0_daemon.backup.manifest import Entry, Kind
from ia0_daemon.backup.plain_file import reading
from ia0_daemon.backup.redact import redacted, short

_LONGEST_TEXT = 2**20
_NEVER_SHOWN = frozenset({Kind.ENGINE_KEY, Kind.HISTORY})


class State(StrEnum):
    """How the host's file stands to the archive's."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    """The archive has it and the host has not."""
    NEW = "new"
    """The host has it and the archive has not: only an undo takes it away."""


@dataclass(frozen=True)
class Present:
    """The host's file."""

    sha256: str
    mode: int


@dataclass(frozen=True)
class Difference:
    """One path, and what a restore would do to it."""

    path: str
    state: State
    lines: tuple[str, ...] = ()


def present(path: Path) -> Present | None:
    """What stands at a path; None if there is nothing."""
    try:
        with reading(path) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            return Present(hashlib.file_digest(file, "sha256").hexdigest(), mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BackupError(f"cannot be compared: {told(error)}") from error


def is_same(entry: Entry, path: Path) -> bool:
    """Whether the host's file is the archive's already."""
    return present(path) == Present(entry.sha256, entry.mode)


def differences(archive: Archive, entries: Sequence[Entry]) -> Iterator[Difference]:
    """Every chosen file that stands on the host, in the archive's order."""
    for entry in entries:
        if entry.origin:
            yield _difference(archive, entry)
    for path in archive.manifest.absent:
        if os.path.lexists(path):
            yield Difference(path, State.NEW, ("it was not there; an undo deletes it",))


def _difference(archive: Archive, entry: Entry) -> Difference:
    path = Path(entry.origin)
    there = present(path)
    if there == Present(entry.sha256, entry.mode):
        return Difference(entry.origin, State.SAME)
    if entry.kind is Kind.HISTORY and there is not None:
        # Its bytes always differ: the archive has a copy that SQLite made.
        return Difference(entry.origin, State.CHANGED, ("event history, as it was then",))
    state = State.MISSING if there is None else State.CHANGED
    return Difference(entry.origin, state, tuple(_lines(archive, entry, path, there)))


def _lines(archive: Archive, entry: Entry, path: Path, there: Present | None) -> Iterator[str]:
    if there is not None and there.mode != entry.mode:
        yield f"mode {there.mode:04o} -> {entry.mode:04o}"
    if there is not None and there.sha256 == entry.sha256:
        return
    new = _text(archive.content(entry).read(_LONGEST_TEXT + 1))
    old = _text(_start(path)) if there is not None else []
    if entry.kind in _NEVER_SHOWN or old is None or new is None:
        before = short(there.sha256) if there is not None else "nothing"
        yield f"content not shown: sha256 {before} -> {short(entry.sha256)}"
        return
    names = (f"{path} (present)", f"{path} (archive)")
    yield from difflib.unified_diff(old, new, *names, lineterm="")


def _start(path: Path) -> bytes:
    with reading(path) as file:
        return file.read(_LONGEST_TEXT + 1)


def _text(content: bytes) -> list[str] | None:
    """The lines of a text without its secrets; None for what is none, or too long to show."""
    if len(content) > _LONGEST_TEXT or b"\0" in content or b"PRIVATE KEY-----" in content:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return [_printable(line) for line in redacted(text).splitlines()]


def _printable(line: str) -> str:
    """Without what would steer a terminal."""
    return "".join(each if each.isprintable() or each == "\t" else repr(each)[1:-1] for each in line)
