"""Carries a plan out, such that it can be undone.

Owns the order of a restore. Never chooses files (``plan.py``) and never talks to the daemon.

    check the configuration and the history -> save the present -> prepare every file -> rename one by one
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ia0_daemon.backup import candidate, history
from ia0_daemon.backup.archive_read import Archive
from ia0_daemon.backup.errors import RestoreBroken, RestoreRefused, told
from ia0_daemon.backup.manifest import Entry, Kind
from ia0_daemon.backup.plan import Plan
from ia0_daemon.backup.replace_file import Replacement
from ia0_daemon.settings.environment import KEYS_FILE
from ia0_daemon.settings.load import Source

_CONFIGURATION = frozenset({Kind.CONFIG, Kind.KEYS})
SaveUndo = Callable[[Plan], Path]


@dataclass(frozen=True)
class Restored:
    """What a restore did."""

    archive: Path
    put: tuple[str, ...]
    deleted: tuple[str, ...]
    notes: tuple[str, ...]
    undo: Path | None
    """The archive that brings the present state back; None where nothing was to be done."""
    configuration_changed: bool
    """Whether a running daemon has to read its configuration again."""


def restore(archive: Archive, plan: Plan, source: Source, scratch: Path, save_undo: SaveUndo) -> Restored:
    """Do what the plan says; RestoreRefused before anything is touched, RestoreBroken after."""
    notes = [*plan.notes, *_checked_configuration(archive, plan, source)]
    database = _checked_history(archive, plan, scratch)
    undo: Path | None = None
    done: list[str] = []
    with ExitStack() as stack:
        files = [entry for entry in plan.put if entry.kind is not Kind.HISTORY or database is None]
        ready = _prepared(stack, archive, files, plan.delete)
        if plan.put or plan.delete:
            undo = save_undo(plan)
        try:
            _put(ready, plan, database, done)
        except (OSError, history.HistoryError) as error:
            why = told(error) if isinstance(error, OSError) else str(error)
            raise RestoreBroken(
                f"the restore stopped: {why}. What is below is in place, the rest is as it was; "
                f"`ia0 backup undo` brings the old state back",
                done or ["(nothing)"],
            ) from error
    changed = any(entry.kind in _CONFIGURATION for entry in plan.put) or bool(plan.delete)
    deleted = tuple(str(path) for path in plan.delete)
    put = tuple(entry.origin for entry in plan.put)
    return Restored(archive.path, put, deleted, tuple(notes), undo, changed)


def _checked_configuration(archive: Archive, plan: Plan, source: Source) -> list[str]:
    """The same check as at the daemon's start, on what would stand there afterwards.

    An undo brings back what was there, right or wrong, and says so.
    """
    keys_path = source.environ.get(KEYS_FILE, "").strip()
    config = plan.entry(Kind.CONFIG)
    keys = plan.entry(Kind.KEYS, Path(keys_path).resolve()) if keys_path else None
    content = _bytes(archive, config)
    created = plan.entry(Kind.KEYS, candidate.created_keys_path(source, content))
    if config is None and keys is None and created is None:
        return []
    faults = candidate.faults_of(source, content, _bytes(archive, keys), _bytes(archive, created))
    if faults and archive.manifest.purpose != "undo":
        raise RestoreRefused(
            "the daemon would refuse the configuration as it would be then; nothing was touched", faults
        )
    return [f"the configuration is wrong, as it was before: {fault}" for fault in faults]


def _bytes(archive: Archive, entry: Entry | None) -> bytes | None:
    return archive.content(entry).read() if entry is not None else None


def _checked_history(archive: Archive, plan: Plan, scratch: Path) -> Path | None:
    """A copy of the archive's history to put into the present one; None where a plain file will do."""
    entry = plan.entry(Kind.HISTORY)
    if entry is None:
        return None
    copy = scratch / "history.db"
    with copy.open("xb") as file:
        shutil.copyfileobj(archive.content(entry), file)
    live = Path(entry.origin)
    found = [f"in the archive: {problem}" for problem in history.problems(copy)]
    if live.exists():
        found += [f"at {live}: {problem} (move it away first)" for problem in history.problems(live)]
    if found:
        raise RestoreRefused("the event history is damaged; nothing was touched", found)
    return copy if live.exists() else None


def _prepared(
    stack: ExitStack, archive: Archive, files: Sequence[Entry], delete: Sequence[Path]
) -> list[Replacement]:
    """Everything that can fail, above all for want of space, before the first file is changed."""
    ready: list[Replacement] = []
    try:
        for entry in files:
            replacement = Replacement(Path(entry.origin))
            stack.callback(replacement.close)
            replacement.prepare(entry, archive.content(entry))
            ready.append(replacement)
        for path in delete:
            replacement = Replacement(path)
            stack.callback(replacement.close)
    except OSError as error:
        raise RestoreRefused(f"a file cannot be written: {told(error)}; nothing was touched") from error
    return ready


def _put(ready: Sequence[Replacement], plan: Plan, database: Path | None, done: list[str]) -> None:
    for replacement in ready:
        replacement.commit()
        done.append(str(replacement.path))
    entry = plan.entry(Kind.HISTORY)
    if database is not None and entry is not None:
        history.put_back(database, Path(entry.origin))
        done.append(entry.origin)
    for path in plan.delete:
        _delete(path)
        done.append(f"{path} (deleted)")


def _delete(path: Path) -> None:
    replacement = Replacement(path)
    try:
        replacement.delete()
    finally:
        replacement.close()
