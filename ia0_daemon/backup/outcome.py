"""Tells how a backup, a restore or a test of one ended: an event, and the state that metrics read.

Owns those words. Never raises: what is told must not break what was done.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from ia0_daemon.backup import state
from ia0_daemon.backup.errors import BackupError
from ia0_daemon.backup.make import Made
from ia0_daemon.backup.restore import Restored
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.events import Event, Recorder


class Teller:
    """Tells of one folder's backups."""

    def __init__(self, folder: Path, recorder: Recorder | None) -> None:
        self._folder, self._recorder = folder, recorder

    def made(self, made: Made) -> None:
        """A backup was made."""
        known = state.read(self._folder)
        outcome = state.success(time.time(), made.path.name, made.size)
        state.write(self._folder, msgspec.structs.replace(known, backup=outcome))
        notes = list(made.manifest.notes)
        self._record(
            Kind.BACKUP_MADE,
            f"backup {made.path.name}: {len(made.manifest.files)} files, {made.size} bytes",
            archive=str(made.path),
            size=made.size,
            not_saved=notes,
        )

    def not_made(self, error: BackupError) -> None:
        """A backup failed."""
        known = state.read(self._folder)
        outcome = state.failure(known.backup, time.time(), str(error))
        state.write(self._folder, msgspec.structs.replace(known, backup=outcome))
        self._record(Kind.BACKUP_FAILED, f"no backup was made: {error}", details=error.details)

    def not_pruned(self, error: BackupError) -> None:
        """Old archives could not be deleted."""
        self._record(Kind.BACKUP_FAILED, f"old archives were not deleted: {error}", details=error.details)

    def pruned(self, names: list[str]) -> None:
        """Old archives were deleted."""
        if names:
            self._record(Kind.BACKUP_PRUNED, f"{len(names)} old archives deleted", archives=names)

    def restored(self, done: Restored, *, undone: bool) -> None:
        """A restore or an undo was carried out."""
        kind, what = (Kind.RESTORE_UNDONE, "undone with") if undone else (Kind.RESTORE_DONE, "restored from")
        self._record(
            kind,
            f"{len(done.put)} files {what} {done.archive.name}",
            archive=str(done.archive),
            files=list(done.put),
            deleted=list(done.deleted),
            undo=str(done.undo or ""),
        )

    def not_restored(self, error: BackupError) -> None:
        """A restore was refused or stopped."""
        self._record(Kind.RESTORE_FAILED, str(error), details=error.details)

    def tested(self, name: str, problems: list[str]) -> None:
        """A restore was tried in a scratch folder."""
        known = state.read(self._folder)
        if problems:
            outcome = state.failure(known.restore_test, time.time(), "; ".join(problems))
            self._record(
                Kind.RESTORE_TEST_FAILED, f"{name} would not restore", archive=name, problems=problems
            )
        else:
            outcome = state.success(time.time(), name)
            self._record(Kind.RESTORE_TEST_OK, f"{name} was unpacked and checked", archive=name)
        state.write(self._folder, msgspec.structs.replace(known, restore_test=outcome))

    def _record(self, kind: Kind, summary: str, **details: object) -> None:
        if self._recorder is not None:
            self._recorder.record(Event.now(kind, summary, None, **details))
