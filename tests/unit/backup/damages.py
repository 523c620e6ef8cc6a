"""Every way in which an archive can be damaged or foreign, as functions of a good one's bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from typing import Any

import msgspec

from ia0_daemon.backup.errors import BackupError, DamagedArchive, ForeignArchive
from ia0_daemon.backup.manifest import member_of

DAMAGED, FOREIGN, EITHER = DamagedArchive, ForeignArchive, BackupError
# Which of several checks notices a random bit depends on where it falls.
ANY = "damaged|cut off|holds no|begin|tar"

Members = list[tuple[tarfile.TarInfo, bytes]]
Damage = Callable[[bytes], bytes]


def unpacked(archive: bytes) -> Members:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as tar:
        return [(info, file.read() if (file := tar.extractfile(info)) else b"") for info in tar]


def packed(members: Members) -> bytes:
    """An archive of any members, with a right header and right checksums of gzip."""
    file = io.BytesIO()
    with gzip.GzipFile("", "wb", 6, file, mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def on_members(change: Callable[[Members], Members]) -> Damage:
    return lambda archive: packed(change(unpacked(archive)))


def on_manifest(change: Callable[[dict[str, Any]], object]) -> Damage:
    def changed(members: Members) -> Members:
        manifest = msgspec.json.decode(members[0][1])
        change(manifest)
        return [(members[0][0], msgspec.json.encode(manifest)), *members[1:]]

    return on_members(changed)


def extra(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Damage:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return on_members(lambda members: [*members, (info, b"x" if kind == tarfile.REGTYPE else b"")])


def moved(origin: str) -> Damage:
    """The first file, said to come from somewhere else, in manifest and archive alike."""

    def change(members: Members) -> Members:
        manifest = msgspec.json.decode(members[0][1])
        manifest["files"][0] |= {"origin": origin, "member": member_of(origin)}
        members[1][0].name = member_of(origin)
        return [(members[0][0], msgspec.json.encode(manifest)), *members[1:]]

    return on_members(change)


def retyped(kind: bytes) -> Damage:
    def change(members: Members) -> Members:
        members[1][0].type, members[1][0].linkname = kind, "/etc/passwd"
        return members

    return on_members(change)


def flipped(place: float) -> Damage:
    def flip(archive: bytes) -> bytes:
        index = int(len(archive) * place)
        return archive[:index] + bytes([archive[index] ^ 0x10]) + archive[index + 1 :]

    return flip


def altered(archive: bytes) -> bytes:
    """A file changed by somebody who packs it again with the same length."""
    return packed([(info, content.replace(b"shop", b"evil")) for info, content in unpacked(archive)])


def shorter(members: Members) -> Members:
    return [members[0], (members[1][0], members[1][1][:-1]), *members[2:]]


def manifest_with(**changes: object) -> Damage:
    return on_manifest(lambda manifest: manifest.update(changes))


def file_with(**changes: object) -> Damage:
    """Another entry for the first file, in the manifest alone."""
    return on_manifest(lambda manifest: manifest["files"][0].update(changes))


def gzipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with gzip.GzipFile("", "wb", 6, file, mtime=0) as zipped:
        zipped.write(content)
    return file.getvalue()


DAMAGES: dict[str, tuple[Damage, type[BackupError], str]] = {
    "empty": (lambda _: b"", DAMAGED, "is empty"),
    "cut in its header": (lambda archive: archive[:5], DAMAGED, "does not begin"),
    "cut in the middle": (lambda archive: archive[: len(archive) // 2], DAMAGED, "cut off"),
    "cut by one byte": (lambda archive: archive[:-1], DAMAGED, "cut off"),
    "a bit at the start": (flipped(0.03), EITHER, ANY),
    "a bit in the middle": (flipped(0.5), EITHER, ANY),
    "a bit in the checksum": (
        lambda archive: archive[:-8] + bytes([archive[-8] ^ 1]) + archive[-7:],
        DAMAGED,
        "incorrect data check",
    ),
    "a hole of zeros": (lambda archive: archive[:300] + bytes(64) + archive[364:], EITHER, ANY),
    "bytes behind its end": (lambda archive: archive + b"x", DAMAGED, "bytes behind"),
    "zeros behind its end": (lambda archive: archive + b"\0", DAMAGED, "bytes behind"),
    "a second gzip behind it": (lambda archive: archive + gzip.compress(b"x"), DAMAGED, "bytes behind"),
    "another gzip header": (lambda archive: archive[:4] + b"\1" + archive[5:], DAMAGED, "does not begin"),
    "data behind the last file": (
        lambda archive: gzipped(gzip.decompress(archive)[:-1] + b"x"),
        DAMAGED,
        "behind its last file",
    ),
    "without tar's end": (
        lambda archive: gzipped(gzip.decompress(archive).rstrip(b"\0")),
        EITHER,
        "damaged|behind|tar",
    ),
    "an altered file": (altered, DAMAGED, "checksum is wrong"),
    "a shorter file": (on_members(shorter), DAMAGED, "size or mode"),
    "another mode": (file_with(mode=0o777), DAMAGED, "size or mode"),
    "a missing file": (on_members(lambda members: members[:-1]), DAMAGED, "does not hold"),
    "an extra file": (extra("files/etc/cron.d/evil"), DAMAGED, "does not hold"),
    "a file twice": (on_members(lambda members: [*members, members[-1]]), DAMAGED, "does not hold"),
    "another order": (on_members(lambda members: [members[0], *members[:0:-1]]), DAMAGED, "does not hold"),
    "a manifest twice": (on_members(lambda members: [members[0], *members]), DAMAGED, "does not hold"),
    "no manifest": (on_members(lambda members: members[1:]), FOREIGN, "first member is not"),
    "a manifest at the end": (
        on_members(lambda members: [*members[1:], members[0]]),
        FOREIGN,
        "first member is not",
    ),
    "an empty tar": (on_members(lambda _: []), FOREIGN, "first member is not"),
    "a manifest that is no JSON": (
        on_members(lambda members: [(members[0][0], b"hello"), *members[1:]]),
        FOREIGN,
        "none of IA-0's",
    ),
    "a manifest with a lacking key": (
        on_manifest(lambda manifest: manifest.pop("host")),
        DAMAGED,
        "is wrong",
    ),
    "a manifest with an unknown key": (manifest_with(x=1), DAMAGED, "is wrong"),
    "a file twice in the manifest": (
        on_manifest(lambda manifest: manifest["files"].append(manifest["files"][0])),
        FOREIGN,
        "names a file twice",
    ),
    "not gzip": (lambda _: b"PK\3\4 a zip", FOREIGN, "no gzip file"),
    "gzip of something else": (lambda _: gzipped(b"hello" * 500), EITHER, ANY),
    "another program's tar": (
        lambda _: packed([(tarfile.TarInfo("etc/passwd"), b"x")]),
        FOREIGN,
        "first member is not",
    ),
    "another format": (manifest_with(format="x"), FOREIGN, "its format is"),
    "a newer version": (manifest_with(version=2, new=1), FOREIGN, "format version is 2"),
    "another host": (manifest_with(host="gpu-b"), FOREIGN, "made on gpu-b"),
    "an absolute name": (extra("/etc/cron.d/evil"), FOREIGN, "would leave"),
    "a name that climbs out": (extra("files/../../etc/cron.d/evil"), FOREIGN, "would leave"),
    "a name with an escape": (extra("files/\x1b[2Jevil"), FOREIGN, "would leave"),
    "an origin that climbs out": (moved("/srv/../etc/passwd"), FOREIGN, "would leave"),
    "an origin that is relative": (
        file_with(origin="etc/passwd"),
        FOREIGN,
        "for the path",
    ),
    "an origin that is another than its name": (
        file_with(origin="/etc/passwd"),
        FOREIGN,
        "for the path",
    ),
    "an absent path that is relative": (manifest_with(absent=["../x"]), FOREIGN, "absent"),
    "setuid": (file_with(mode=0o4755), DAMAGED, "is wrong"),
    "a place that is none of ours": (moved("/etc/cron.d/evil"), EITHER, "saves none"),
    "a symbolic link": (extra("files/link", tarfile.SYMTYPE, "/etc/passwd"), FOREIGN, "no plain file"),
    "a hard link": (extra("files/link", tarfile.LNKTYPE, "files/etc/passwd"), FOREIGN, "no plain file"),
    "a device": (extra("files/null", tarfile.CHRTYPE), FOREIGN, "no plain file"),
    "a FIFO": (extra("files/pipe", tarfile.FIFOTYPE), FOREIGN, "no plain file"),
    "a folder": (extra("files/folder", tarfile.DIRTYPE), FOREIGN, "no plain file"),
    "a file that became a link": (retyped(tarfile.SYMTYPE), FOREIGN, "no plain file"),
}
