"""The manifest: what an archive holds, and what it must hold to be believed.

Owns the manifest's shape, its limits and the rules for names. Never opens an archive.

    decode(bytes) -> Manifest, or ForeignArchive / DamagedArchive
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ia0_daemon.backup.errors import DamagedArchive, ForeignArchive

FORMAT = "ia0-backup"
VERSION = 1
MEMBER = "manifest.json"
FILES = "files"
MODELFILES = "modelfiles"

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Natural = Annotated[int, Meta(ge=0)]
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Kind(StrEnum):
    """What a saved file is to this service."""

    CONFIG = "config"
    KEYS = "keys"
    ENGINE_ENV = "engine_env"
    ENGINE_KEY = "engine_key"
    UNIT = "unit"
    EXTRA = "extra"
    MODEL_MANIFEST = "model_manifest"
    HISTORY = "history"
    MODELFILE = "modelfile"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the manifest."""


class Entry(_Part, frozen=True):
    """One saved file. ``origin`` is where it stands on the host; a Modelfile stands nowhere."""

    member: str
    kind: Kind
    origin: str
    size: Natural
    sha256: Sha256
    mode: Annotated[int, Meta(ge=0, le=0o777)]
    uid: Natural
    gid: Natural
    owner: str
    group: str

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.origin or self.member


class Blob(_Part, frozen=True):
    """A part of a model, which is not saved: the engine can pull it again."""

    digest: str
    size: Natural


class Model(_Part, frozen=True):
    """A model that the engine had."""

    name: str
    blobs: tuple[Blob, ...]


class Manifest(_Part, frozen=True):
    """The first member of an archive. ``absent`` are paths that an undo takes away again."""

    format: Literal["ia0-backup"]
    version: int
    purpose: Literal["backup", "undo"]
    ia0_version: str
    host: str
    created_at: str
    configuration_ok: bool
    """Whether the saved configuration passed the daemon's check."""
    files: tuple[Entry, ...]
    absent: tuple[str, ...] = ()
    models: tuple[Model, ...] = ()
    notes: tuple[str, ...] = ()


class _Head(msgspec.Struct):
    """What every version of the format has."""

    format: str
    version: int
    ia0_version: str = "an unknown version"


def encode(manifest: Manifest) -> bytes:
    """The manifest as the archive holds it: JSON that a person can read."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(content: bytes) -> Manifest:
    """A manifest that keeps every rule."""
    try:
        head = msgspec.json.decode(content, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ForeignArchive(f"its {MEMBER} is none of IA-0's: {error}") from None
    if head.format != FORMAT:
        raise ForeignArchive(f"its format is {head.format!r}, not {FORMAT!r}")
    if head.version != VERSION:
        raise ForeignArchive(
            f"its format version is {head.version} (made by IA-0 {head.ia0_version}); "
            f"this program reads version {VERSION}: use the version that made it, or a newer one"
        )
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedArchive(f"its {MEMBER} is wrong: {error}") from None
    _refuse_bad_names(manifest)
    return manifest


def member_of(origin: str) -> str:
    """The name within the archive of a file of the host."""
    return FILES + origin


def _refuse_bad_names(manifest: Manifest) -> None:
    for problem in _problems(manifest):
        raise ForeignArchive(f"its {MEMBER} has {problem}")
    names = [entry.member for entry in manifest.files]
    if len(set(names)) != len(names):
        raise ForeignArchive(f"its {MEMBER} names a file twice")


def _problems(manifest: Manifest) -> Iterator[str]:
    for entry in manifest.files:
        if not is_safe(entry.member):
            yield f"the name {entry.member!r}, which leaves the archive"
        elif entry.kind is Kind.MODELFILE:
            if entry.origin or not entry.member.startswith(f"{MODELFILES}/"):
                yield f"a Modelfile at {entry.name!r}"
        elif entry.member != member_of(entry.origin) or not is_place(entry.origin):
            yield f"{entry.member!r} for the path {entry.origin!r}"
    yield from (f"the absent path {path!r}" for path in manifest.absent if not is_place(path))


def is_safe(member: str) -> bool:
    """Whether a member's name stays within the folder that it is unpacked into."""
    parts = member.split("/")
    return not _CONTROL.search(member) and all(part not in {"", ".", ".."} for part in parts)


def is_place(origin: str) -> bool:
    """Whether a path of the host is absolute and written in one way only."""
    return origin.startswith("/") and is_safe(origin[1:]) and str(PurePosixPath(origin)) == origin
