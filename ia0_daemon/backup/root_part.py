"""What root collects for the daemon's archives, and what it may put back at the daemon's request.

    ia0-backup-root.service: places -> trusted files -> <run>/part/{index.json, N.copy} -> the daemon
                             each file's path, checksum, mode and owner -> <state>/seen.json
    ia0-restore.service:     a request of the daemon's user -> only what is in seen.json

The daemon's user can write any archive, and start both units. So root believes
none: it puts back only a content that it has itself read at that very path of
this host. Owns both folders; the daemon's user may read the first alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ia0_daemon.backup.collect import Collection
from ia0_daemon.backup.errors import BackupError, told
from ia0_daemon.backup.manifest import Entry, Kind
from ia0_daemon.backup.plain_file import reading
from ia0_daemon.backup.trusted_file import open_of_engine, open_of_root

if TYPE_CHECKING:
    from ia0_daemon.backup.places import Place

PART = "part"
INDEX = "index.json"
SEEN = "seen.json"
RUN_FOLDER = Path("/run/ia0-root")
# Of the engine's own folders, which are its user's.
_ENGINES = frozenset({Kind.ENGINE_KEY, Kind.MODEL_MANIFEST})
# SQLite's history is the daemon's own, and a Modelfile is no file of the host.
_NOT_ROOTS = frozenset({Kind.HISTORY, Kind.MODELFILE})
# What a request may bring back; the engine pulls its models' manifests again.
RESTORABLE = frozenset({Kind.CONFIG, Kind.KEYS, Kind.ENGINE_ENV, Kind.ENGINE_KEY, Kind.UNIT, Kind.EXTRA})
# So many contents are remembered; the oldest are forgotten.
_MOST_SEEN = 5000


class Seen(msgspec.Struct, frozen=True):
    """A file as root has read it at its place."""

    origin: str
    sha256: str
    mode: int
    uid: int
    gid: int

    @classmethod
    def of(cls, entry: Entry) -> Seen:
        """What of an archive's file must have been seen."""
        return cls(entry.origin, entry.sha256, entry.mode, entry.uid, entry.gid)


class Index(msgspec.Struct, frozen=True):
    """What lies in the part: the file of each entry has its number."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RootPart:
    """The folder that root fills and the daemon reads."""

    folder: Path = RUN_FOLDER

    def fill(self, places: Iterable[Place], max_bytes: int, state: Path) -> Index:
        """As root: collect, remember what was seen, and let the new part take the old one's place."""
        try:
            with tempfile.TemporaryDirectory(dir=self.folder, prefix="new-") as name:
                new = Path(name) / PART
                new.mkdir(mode=0o750)
                index = _collected(places, max_bytes, new)
                remember(state, index.entries)
                (new / INDEX).write_bytes(msgspec.json.encode(index))
                shutil.rmtree(self.folder / PART, ignore_errors=True)
                new.rename(self.folder / PART)
        except OSError as error:
            raise BackupError(f"root's part of the backup cannot be written: {told(error)}") from error
        return index

    def take(self, collection: Collection) -> set[str]:
        """As the daemon: bring root's files into a collection. Gives their paths."""
        part = self.folder / PART
        try:
            index = msgspec.json.decode((part / INDEX).read_bytes(), type=Index)
            for number, entry in enumerate(index.entries):
                with reading(part / f"{number}.copy", follow=False) as source:
                    collection.add_copy(entry, source)
        except (OSError, msgspec.DecodeError) as error:
            why = told(error) if isinstance(error, OSError) else str(error)
            raise BackupError(f"what root has collected cannot be read: {why}") from error
        collection.notes += [f"{note} (by root)" for note in index.notes]
        return {entry.origin for entry in index.entries}


def _collected(places: Iterable[Place], max_bytes: int, folder: Path) -> Index:
    collection = Collection(folder, max_bytes)
    for place in places:
        if place.kind not in _NOT_ROOTS and not place.daemons_own:
            collection.open_file = open_of_engine if place.kind in _ENGINES else open_of_root
            collection.add_place(replace(place, required=False))
    return Index(tuple(each.entry for each in collection.staged), tuple(collection.notes))


def remember(state: Path, entries: Iterable[Entry]) -> None:
    """Add what root has seen; the newest last."""
    new = [Seen.of(entry) for entry in entries if entry.kind in RESTORABLE]
    kept = list(dict.fromkeys([*(each for each in seen(state) if each not in new), *new]))
    target = state / SEEN
    beside = target.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(kept[-_MOST_SEEN:]))
    beside.chmod(0o600)
    beside.replace(target)


def seen(state: Path) -> list[Seen]:
    """All that root has seen on this host."""
    try:
        return msgspec.json.decode((state / SEEN).read_bytes(), type=list[Seen])
    except FileNotFoundError:
        return []


def restorable(entries: Iterable[Entry], known: Iterable[Seen]) -> list[Entry]:
    """Those files of an archive that root may put back although anybody may have written the archive."""
    believed = frozenset(known)
    return [entry for entry in entries if entry.kind in RESTORABLE and Seen.of(entry) in believed]
