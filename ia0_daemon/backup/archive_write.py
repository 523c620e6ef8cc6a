"""Writes one archive: all of it, or nothing.

Owns the archive's bytes and the order that makes it whole. Never decides what goes in.

    temporary file in the same folder -> fsync -> read back -> rename -> fsync the folder
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from ia0_daemon.backup import manifest as manifests
from ia0_daemon.backup.manifest import Entry, Manifest
from ia0_daemon.backup.plain_file import creating, give_to_folders_owner

# Name parts of what is not finished; `folder.py` sweeps them up after a crash.
UNFINISHED_PREFIX = ".ia0-unfinished-"
# The header of gzip then is always the same ten bytes, so that the reader can hold every bit of it.
COMPRESSION = 6
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True)
class Staged:
    """A file that is ready to be written: its entry, and its bytes at a path that nobody else changes."""

    entry: Entry
    content: Path


def write(target: Path, manifest: Manifest, staged: Sequence[Staged], verify: Callable[[Path], None]) -> None:
    """Write the archive at ``target``; what ``verify`` refuses never gets that name."""
    temporary = target.with_name(f"{UNFINISHED_PREFIX}{target.name}")
    try:
        with creating(temporary) as file:
            _fill(file, manifest, staged)
            file.flush()
            os.fsync(file.fileno())
        verify(temporary)
        give_to_folders_owner(temporary)
        temporary.rename(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(path: Path) -> None:
    """Let a rename in this folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(file: IO[bytes], manifest: Manifest, staged: Sequence[Staged]) -> None:
    with (
        gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        when = int(datetime.fromisoformat(manifest.created_at).timestamp())
        content = manifests.encode(manifest)
        tar.addfile(_info(manifests.MEMBER, len(content), 0o600, when), io.BytesIO(content))
        for each in staged:
            entry = each.entry
            info = _info(entry.member, entry.size, entry.mode, when)
            info.uid, info.gid, info.uname, info.gname = entry.uid, entry.gid, entry.owner, entry.group
            with each.content.open("rb") as source:
                tar.addfile(info, source)


def _info(name: str, size: int, mode: int, when: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, mode, when
    return info
