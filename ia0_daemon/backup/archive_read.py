"""Reads an archive and believes nothing of it.

Owns the decision whether an archive is whole and ours. Never writes to any place but an unnamed
temporary file, and never follows a name of the archive.

    gzip, bit by bit -> tar -> manifest -> each member as the manifest says -> nothing behind
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ia0_daemon.backup import manifest as manifests
from ia0_daemon.backup.archive_write import GZIP_HEADER
from ia0_daemon.backup.errors import BackupError, DamagedArchive, ForeignArchive, told
from ia0_daemon.backup.manifest import Entry, Manifest
from ia0_daemon.backup.plain_file import reading

_CHUNK = 1 << 18
# Archives are small; one that is not goes to a file without a name.
_IN_MEMORY_BYTES = 16 * 2**20
_LARGEST_MANIFEST = 16 * 2**20
# What tar adds: headers, padding, the manifest.
_OVERHEAD_BYTES = 64 * 2**20
_WAYS_TO_BE_NO_TAR = (tarfile.TarError, ValueError, LookupError, ArithmeticError, EOFError)


@dataclass(frozen=True)
class Archive:
    """A verified archive. Its files can be read while the ``with`` of `opened` lasts."""

    path: Path
    size: int
    manifest: Manifest
    _tar: tarfile.TarFile
    _members: dict[str, tarfile.TarInfo]

    def content(self, entry: Entry) -> IO[bytes]:
        """The bytes of a file."""
        file = self._tar.extractfile(self._members[entry.member])
        if file is None:  # only a member that is no regular file gives None, and none was let in
            raise DamagedArchive(f"{self.path}: {entry.member} is no file")
        return file

    def unpack(self, folder: Path) -> None:
        """Unpack everything below a scratch folder; Python's own filter is a second pair of eyes."""
        self._tar.extractall(folder, filter="data")


@contextmanager
def opened(path: Path, max_bytes: int) -> Iterator[Archive]:
    """A verified archive; DamagedArchive or ForeignArchive if it is not whole and ours."""
    with ExitStack() as stack:
        try:
            plain = stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))
            size = _unpack_gzip(path, plain, max_bytes + _OVERHEAD_BYTES)
            plain.seek(0)
            tar = stack.enter_context(_tar(plain))
            manifest, members = _verified(tar, plain)
        except OSError as error:
            raise BackupError(f"{path}: cannot be read: {told(error)}") from error
        except (DamagedArchive, ForeignArchive) as error:
            raise type(error)(f"{path}: {error}", error.details) from None
        yield Archive(path, size, manifest, tar, members)


def verify(path: Path, max_bytes: int) -> Manifest:
    """The manifest of an archive that is whole."""
    with opened(path, max_bytes) as archive:
        return archive.manifest


def _unpack_gzip(path: Path, plain: IO[bytes], max_bytes: int) -> int:
    with reading(path) as packed:
        head = packed.read(len(GZIP_HEADER))
        if head != GZIP_HEADER:
            _refuse_head(head)
        inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        _inflate(inflate, head, packed, plain, max_bytes)
        if not inflate.eof:
            raise DamagedArchive("is cut off: its end is missing")
        if inflate.unused_data or packed.read(1):
            raise DamagedArchive("has bytes behind its end")
        return packed.tell()


def _refuse_head(head: bytes) -> None:
    if not head:
        raise DamagedArchive("is empty")
    if head[:2] != GZIP_HEADER[:2]:
        raise ForeignArchive("is no gzip file, so no archive of IA-0")
    raise DamagedArchive("does not begin as an archive of IA-0 does")


def _inflate(
    inflate: zlib._Decompress, head: bytes, packed: IO[bytes], plain: IO[bytes], max_bytes: int
) -> None:
    chunk, written = head, 0
    try:
        while not inflate.eof:
            data = inflate.decompress(chunk, _CHUNK)
            written += plain.write(data)
            if written > max_bytes:
                raise ForeignArchive(
                    f"unpacks to more than {max_bytes} bytes (backup.max_bytes and a margin)"
                )
            chunk = inflate.unconsumed_tail or packed.read(_CHUNK)
            if not chunk and not data:
                return
    except zlib.error as error:
        raise DamagedArchive(f"is damaged: {error}") from None


def _tar(plain: IO[bytes]) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=plain, mode="r:", errorlevel=2)
    except _WAYS_TO_BE_NO_TAR as error:
        raise ForeignArchive(f"holds no tar archive: {error}") from None


def _verified(tar: tarfile.TarFile, plain: IO[bytes]) -> tuple[Manifest, dict[str, tarfile.TarInfo]]:
    try:
        members = tar.getmembers()
    except _WAYS_TO_BE_NO_TAR as error:
        raise DamagedArchive(f"is damaged: {error}") from None
    for member in members:
        _refuse_special(member)
    if not members or members[0].name != manifests.MEMBER:
        raise ForeignArchive(f"its first member is not {manifests.MEMBER}: it was not made by `ia0 backup`")
    manifest = manifests.decode(_content(tar, members[0]))
    _refuse_other_names(manifest, members[1:])
    for entry, member in zip(manifest.files, members[1:], strict=True):
        _refuse_difference(tar, entry, member)
    _refuse_rest(members[-1], plain)
    return manifest, {member.name: member for member in members}


def _refuse_special(member: tarfile.TarInfo) -> None:
    if not member.isreg() or member.issparse():
        raise ForeignArchive(f"{member.name!r} is no plain file (a link, a folder or a device)")
    if not manifests.is_safe(member.name):
        raise ForeignArchive(f"{member.name!r} would leave the folder that it is unpacked into")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > _LARGEST_MANIFEST:
        raise ForeignArchive(f"its {manifests.MEMBER} has {member.size} bytes")
    file = tar.extractfile(member)
    return file.read() if file is not None else b""


def _refuse_other_names(manifest: Manifest, members: list[tarfile.TarInfo]) -> None:
    wanted, there = [entry.member for entry in manifest.files], [member.name for member in members]
    if wanted == there:
        return
    details = [f"missing: {name}" for name in wanted if name not in set(there)]
    details += [f"not in its manifest: {name}" for name in there if name not in set(wanted)]
    raise DamagedArchive(
        "does not hold what its manifest says", details or ["its files are doubled or in another order"]
    )


def _refuse_difference(tar: tarfile.TarFile, entry: Entry, member: tarfile.TarInfo) -> None:
    if (member.size, member.mode) != (entry.size, entry.mode):
        raise DamagedArchive(f"{entry.member}: size or mode is not what the manifest says")
    file = tar.extractfile(member)
    # Through file_digest a large file is never in memory as a whole.
    if file is None or hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:  # type: ignore[arg-type]  # ExFileObject reads as it needs
        raise DamagedArchive(f"{entry.member}: its checksum is wrong")


def _refuse_rest(last: tarfile.TarInfo, plain: IO[bytes]) -> None:
    """Behind the last file there are zeros, to the end of tar's record, and nothing else."""
    end = last.offset_data + -(-last.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    plain.seek(end)
    rest = plain.read(2 * tarfile.RECORDSIZE)
    whole = -(-(end + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
    if len(rest) != whole - end or rest.strip(b"\0"):
        raise DamagedArchive("has something behind its last file")
