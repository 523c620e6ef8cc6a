"""Makes archives: of everything that a backup saves, or of what a restore is about to change.

Owns what goes into an archive and into its manifest. Never decides when, and never deletes one.

    places -> Collection -> manifest -> write, read back -> Made
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from ia0_daemon import __version__
from ia0_daemon.backup import archive_read
from ia0_daemon.backup.archive_write import write
from ia0_daemon.backup.collect import Collection
from ia0_daemon.backup.engine_models import AsksEngine, add_modelfiles, models
from ia0_daemon.backup.errors import BackupError, DamagedArchive, told
from ia0_daemon.backup.folder import Folder
from ia0_daemon.backup.manifest import VERSION, Kind, Manifest, Model
from ia0_daemon.backup.places import Place, Places
from ia0_daemon.backup.plan import Plan
from ia0_daemon.backup.root_part import RootPart


@dataclass(frozen=True)
class Made:
    """An archive that was written and read back."""

    path: Path
    size: int
    manifest: Manifest


@dataclass(frozen=True)
class Maker:
    """Makes archives in one folder; for whoever holds its lock."""

    folder: Folder
    host: str
    max_bytes: int
    configuration_ok: bool
    root_part: RootPart | None = None
    """What root has just collected for this archive."""

    def backup(self, found: Places, engine: AsksEngine, now: datetime) -> Made:
        """Save all places and what the engine says of its models."""
        with self._collection() as collection:
            by_root = self.root_part.take(collection) if self.root_part is not None else frozenset[str]()
            for place in found.saved:
                if not any(Path(path).is_relative_to(place.path) for path in by_root):
                    collection.add_place(place)
            tags = add_modelfiles(collection, engine)
            if not self.configuration_ok:
                collection.notes.append("the configuration does not pass the daemon's check")
            return self._written("backup", collection, now, models(collection.staged, found.models, tags))

    def undo(self, changes: Plan, now: datetime) -> Made:
        """Save what stands where a restore is about to write."""
        saved = [(entry.kind, Path(entry.origin)) for entry in changes.put]
        saved += [(Kind.EXTRA, path) for path in changes.delete]
        absent = tuple(str(path) for kind, path in saved if kind is not Kind.HISTORY and not path.exists())
        with self._collection() as collection:
            for kind, path in saved:
                if path.exists():
                    collection.add_place(Place(kind, path, required=True))
            return self._written("undo", collection, now, absent=absent)

    @contextmanager
    def _collection(self) -> Iterator[Collection]:
        try:
            with self.folder.scratch() as scratch:
                yield Collection(scratch, self.max_bytes)
        except OSError as error:
            raise BackupError(f"{told(error)}; no archive was written") from error

    def _written(
        self,
        purpose: Literal["backup", "undo"],
        collection: Collection,
        now: datetime,
        known: Sequence[Model] = (),
        absent: tuple[str, ...] = (),
    ) -> Made:
        path, made = self.folder.new_name(purpose, self.host, now)
        manifest = Manifest(
            format="ia0-backup",
            version=VERSION,
            purpose=purpose,
            ia0_version=__version__,
            host=self.host,
            created_at=made.isoformat().replace("+00:00", "Z"),
            configuration_ok=self.configuration_ok,
            files=tuple(each.entry for each in collection.staged),
            absent=absent,
            models=tuple(known),
            notes=tuple(collection.notes),
        )
        write(path, manifest, collection.staged, self._read_back)
        return Made(path, path.stat().st_size, manifest)

    def _read_back(self, path: Path) -> None:
        try:
            archive_read.verify(path, self.max_bytes)
        except BackupError as error:
            raise DamagedArchive(
                f"what was written does not read back, so it was not kept: {error}"
            ) from error
