"""What a restore would do, decided before anything is touched.

Owns the choice of files and the refusals that need no write. Never changes a file.

    archive, places, wishes -> Plan(put, delete, notes), or RestoreRefused
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ia0_daemon.backup.archive_read import Archive
from ia0_daemon.backup.compare import is_same
from ia0_daemon.backup.engine_models import missing_blobs, model_name
from ia0_daemon.backup.errors import ForeignArchive, RestoreRefused
from ia0_daemon.backup.manifest import Entry, Kind
from ia0_daemon.backup.places import Places


@dataclass(frozen=True)
class Wishes:
    """What the operator asked for."""

    only: tuple[str, ...] = ()
    """Paths, or ends of paths, of the files to restore; empty: all that a restore puts back by itself."""
    force_host: bool = False
    """Take the archive of another host."""
    new_paths: bool = False
    """Write also where the present configuration saves nothing."""
    history: bool = False
    """Put the event history back although there is one."""


@dataclass(frozen=True)
class Plan:
    """Files to put and to delete, and what is left as it is and why."""

    put: tuple[Entry, ...]
    delete: tuple[Path, ...]
    notes: tuple[str, ...]

    def entry(self, kind: Kind, path: Path | None = None) -> Entry | None:
        """The file of this kind that is put, if one is."""
        found = (entry for entry in self.put if entry.kind is kind)
        return next((entry for entry in found if path is None or entry.origin == str(path)), None)


def plan(archive: Archive, places: Places, wishes: Wishes, host: str) -> Plan:
    """What to do; ForeignArchive or RestoreRefused where it must not be done."""
    _refuse_other_host(archive, wishes, host)
    chosen = choose(archive.manifest.files, wishes.only)
    notes: list[str] = []
    kept = [entry for entry in chosen if _is_wanted(archive, entry, places, wishes, notes)]
    _refuse_new_paths([entry for entry in kept if not places.has(entry.kind, entry.origin)], wishes)
    absent = () if wishes.only else archive.manifest.absent
    delete = tuple(Path(path) for path in absent if os.path.lexists(path))
    return Plan(tuple(kept), delete, tuple(notes))


def choose(entries: Sequence[Entry], only: Sequence[str]) -> list[Entry]:
    """The files that are meant; RestoreRefused where a name means none or several."""
    if not only:
        return [entry for entry in entries if entry.origin]
    chosen = {entry.member: entry for name in only for entry in [_meant(entries, name)]}
    return list(chosen.values())


def _meant(entries: Sequence[Entry], name: str) -> Entry:
    found = [entry for entry in entries if name in (entry.origin, entry.member)]
    found = found or [entry for entry in entries if entry.name.endswith(f"/{name.lstrip('/')}")]
    if len(found) != 1:
        there = [entry.name for entry in found or entries]
        why = "means several files" if found else "is not in the archive"
        raise RestoreRefused(f"{name} {why}; nothing was touched", there)
    if not found[0].origin:
        raise RestoreRefused(
            f"{name} is a Modelfile, which is no file of this host: take it out with "
            f"`tar -xOf ARCHIVE {found[0].member}` and give it to `ollama create`"
        )
    return found[0]


def _is_wanted(archive: Archive, entry: Entry, places: Places, wishes: Wishes, notes: list[str]) -> bool:
    path = Path(entry.origin)
    if entry.kind is Kind.HISTORY:
        keep = path.exists() and not (wishes.history or wishes.only)
        if keep:
            notes.append(f"{path}: the present event history stays (--history puts the old one back)")
        return not keep
    if is_same(entry, path):
        return False
    if entry.kind is Kind.MODEL_MANIFEST and not wishes.only:
        return _has_blobs(archive, entry, places, notes)
    return True


def _has_blobs(archive: Archive, entry: Entry, places: Places, notes: list[str]) -> bool:
    """A manifest without its blobs would let the engine promise a model that it cannot load."""
    missing = missing_blobs(archive.content(entry).read(), places.models)
    if missing:
        name = model_name(Path(entry.origin), places.models)
        notes.append(
            f"{name}: {len(missing)} of its blobs are not here; bring it back with `ollama pull {name}`"
        )
    return not missing


def _refuse_other_host(archive: Archive, wishes: Wishes, host: str) -> None:
    if archive.manifest.host != host and not wishes.force_host:
        raise ForeignArchive(
            f"{archive.path}: it was made on {archive.manifest.host}, and this is {host}; "
            "--force-host restores it all the same. Nothing was touched"
        )


def _refuse_new_paths(outside: Sequence[Entry], wishes: Wishes) -> None:
    if outside and not wishes.new_paths:
        raise RestoreRefused(
            "the archive has files where the present configuration saves none; nothing was touched. "
            "Restore others by name (--file), or these too (--new-paths)",
            [entry.origin for entry in outside],
        )
