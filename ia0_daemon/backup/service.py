"""The door to backups, for the command and for the daemon's scheduler alike.

Owns the order of the steps, the lock around them, and that their end is told. Never reads or writes an
archive's bytes itself.

    create, restore, undo, prune, test: raise BackupError
    backup_now, prune_now, restore_test: for a scheduler; they tell and never raise BackupError
"""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import Metric

from ia0_daemon.backup import archive_read, candidate, metrics, rehearsal, shelf
from ia0_daemon.backup.archive_read import Archive
from ia0_daemon.backup.archive_write import sync_folder
from ia0_daemon.backup.compare import Difference, differences
from ia0_daemon.backup.engine_models import AsksEngine, EngineQuestions
from ia0_daemon.backup.errors import BackupError, told
from ia0_daemon.backup.folder import Folder
from ia0_daemon.backup.make import Made, Maker
from ia0_daemon.backup.manifest import Kind
from ia0_daemon.backup.outcome import Teller
from ia0_daemon.backup.places import Machine, Places, places
from ia0_daemon.backup.plan import Wishes, choose, plan
from ia0_daemon.backup.restore import Restored, restore
from ia0_daemon.backup.root_part import Index, RootPart
from ia0_daemon.backup.shelf import Listed
from ia0_daemon.settings import engine_address
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.schema import Settings
from ia0_daemon.supervisor.events import Recorder
from ia0_daemon.systemd.unit import Unit, UnitError

# How long one waits for another backup; most take a second or two.
LOCK_WAIT_S = 30.0


def now_utc() -> datetime:
    """The time that names archives."""
    return datetime.now(UTC)


class BackupService:
    """Backups of one configuration. Cheap to make: a reload of the settings makes another."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        *,
        recorder: Recorder | None = None,
        machine: Machine | None = None,
        engine: AsksEngine | None = None,
        clock: Callable[[], datetime] = now_utc,
        lock_wait_s: float = LOCK_WAIT_S,
        root_part: RootPart = RootPart(),  # noqa: B008  # immutable
        start_unit: Callable[[str], None] = lambda name: Unit(name).start(),
    ) -> None:
        self.settings = settings
        self._source, self._settings, self._clock = source, settings, clock
        self._machine = machine or Machine(socket.gethostname())
        self._engine = engine or _engine(settings)
        self._lock_wait_s = lock_wait_s
        self._root_part, self._start_unit = root_part, start_unit
        self.folder = Folder(Path(settings.backup.path))
        self._teller = Teller(self.folder.path, recorder)

    @property
    def places(self) -> Places:
        """Where the things are that a backup saves."""
        return self._places(self._settings)

    def _places(self, settings: Settings) -> Places:
        return places(settings, self._source.path, self._source.environ, self._machine)

    def _places_for(self, archive: Archive) -> Places:
        """Where a restore may write.

        A configuration that is broken does not say it any more. The archive's own does, but only of an
        archive in our own folder, where nobody else can put one.
        """
        own = archive.path.resolve().parent == self.folder.path.resolve()
        if not own or not candidate.faults_of(self._source, None, None):
            return self.places
        config = next((entry for entry in archive.manifest.files if entry.kind is Kind.CONFIG), None)
        if config is None:
            return self.places
        return self._places(candidate.settings_of(self._source, archive.content(config).read()))

    def create(self) -> Made:
        """Make an archive, written as a whole and read back."""
        try:
            with self._alone():
                maker = dataclasses.replace(self._maker(), root_part=self._asked_root())
                made = maker.backup(self.places, self._engine, self._clock())
        except BackupError as error:
            self._teller.not_made(error)
            raise
        self._teller.made(made)
        return made

    def _asked_root(self) -> RootPart | None:
        """Have root collect what this user may not read; None where no unit does."""
        unit = self._settings.backup.root_unit
        if not unit or os.geteuid() == 0:  # root itself reads everything
            return None
        try:
            self._start_unit(unit)
        except UnitError as error:
            raise BackupError(f"backup.root_unit: {error}; no archive was written") from error
        return self._root_part

    def root_collects(self, state: Path) -> Index:
        """As root: fill the part that the daemon's next archive takes."""
        return self._root_part.fill(self.places.saved, self._max_bytes, state)

    def archives(self) -> list[Listed]:
        """Every archive of the folder, read and checked, the newest first; undo archives too."""
        return [shelf.listed(named, self._max_bytes) for named in self.folder.archives()]

    def verify(self, name: str = shelf.LATEST) -> Listed:
        """One archive, read and checked; BackupError if it is damaged or foreign."""
        path = shelf.find(self.folder, name)
        manifest = archive_read.verify(path, self._max_bytes)
        made = datetime.fromisoformat(manifest.created_at)
        return Listed(path, made, path.stat().st_size, manifest)

    def diff(self, name: str = shelf.LATEST, only: Sequence[str] = ()) -> list[Difference]:
        """What a restore of these files would change."""
        with archive_read.opened(shelf.find(self.folder, name), self._max_bytes) as archive:
            return list(differences(archive, choose(archive.manifest.files, only)))

    def restore(self, name: str = shelf.LATEST, wishes: Wishes = Wishes()) -> Restored:  # noqa: B008  # immutable
        """Put files of an archive in place; refused before anything is touched, or undoable."""
        return self._restored(shelf.find(self.folder, name), wishes, undoing=False)

    def undo(self) -> Restored:
        """Bring back what the last restore (or undo) replaced."""
        path = shelf.find(self.folder, shelf.LATEST, "undo")
        return self._restored(path, Wishes(new_paths=True, history=True), undoing=True)

    def last_undo(self) -> Path:
        """The archive that `undo` would use; BackupError if there is none."""
        return shelf.find(self.folder, shelf.LATEST, "undo")

    def prune(self) -> Sequence[Path]:
        """Delete what retention lets go, and tell which; where there is no folder none is made."""
        if not self.folder.path.exists():
            return []
        try:
            with self._alone():
                gone = self._old_archives()
                for path in gone:
                    path.unlink(missing_ok=True)
                sync_folder(self.folder.path)
        except BackupError as error:
            self._teller.not_pruned(error)
            raise
        self._teller.pruned([path.name for path in gone])
        return gone

    def _old_archives(self) -> Sequence[Path]:
        backup = self._settings.backup
        found = shelf.may_go(self.folder, backup.keep, backup.keep_age_s, self._max_bytes, self._clock())
        return [named.path for named in found]

    def test(self) -> list[str]:
        """Restore the newest archive into a scratch folder; what would be wrong with it."""
        name = shelf.LATEST
        try:
            path = shelf.find(self.folder, name)
            name = path.name
            with (
                self._alone(),
                self.folder.scratch() as scratch,
                archive_read.opened(path, self._max_bytes) as archive,
            ):
                found = rehearsal.problems(archive, scratch, self._source)
        except BackupError as error:
            found = [str(error), *error.details]
        except OSError as error:
            found = [told(error)]
        self._teller.tested(name, found)
        return found

    def backup_now(self) -> None:
        """For the scheduler: make an archive, then prune."""
        with suppress(BackupError):
            self.create()
            self.prune()

    def prune_now(self) -> None:
        """For the scheduler: prune."""
        with suppress(BackupError):
            self.prune()

    def restore_test(self) -> None:
        """For the scheduler: the test of a restore."""
        self.test()

    def families(self) -> Iterator[Metric]:
        """The metrics, whoever made the last backup."""
        return metrics.families(self.folder.path)

    @property
    def _max_bytes(self) -> int:
        return int(self._settings.backup.max_bytes)

    def _maker(self) -> Maker:
        good = not candidate.faults_of(self._source, None, None)
        return Maker(self.folder, self._machine.host, self._max_bytes, good)

    def _restored(self, path: Path, wishes: Wishes, *, undoing: bool) -> Restored:
        try:
            with self._alone(), archive_read.opened(path, self._max_bytes) as archive:
                todo = plan(archive, self._places_for(archive), wishes, self._machine.host)
                with self.folder.scratch() as scratch:
                    done = restore(
                        archive,
                        todo,
                        self._source,
                        scratch,
                        lambda changes: self._maker().undo(changes, self._clock()).path,
                    )
        except BackupError as error:
            self._teller.not_restored(error)
            raise
        self._teller.restored(done, undone=undoing)
        return done

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with self.folder.locked(self._lock_wait_s):
                yield
        except OSError as error:
            raise BackupError(told(error)) from error


def _engine(settings: Settings) -> AsksEngine:
    try:
        address = engine_address.parse(settings.engine.host)
    except engine_address.AddressError:
        address = engine_address.parse(Settings().engine.host)
    return EngineQuestions(address, settings.engine.control_timeout_s)
