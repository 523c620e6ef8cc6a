"""A restore into a scratch folder: does the newest archive give what would be needed?

Owns what is tried. Never touches the host's own files.

    verify -> unpack -> the daemon's check of the configuration -> SQLite's check of the history
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ia0_daemon.backup import candidate, history
from ia0_daemon.backup.archive_read import Archive
from ia0_daemon.backup.manifest import Kind
from ia0_daemon.settings.environment import KEYS_FILE
from ia0_daemon.settings.load import Source


def problems(archive: Archive, scratch: Path, source: Source) -> list[str]:
    """What is wrong with an archive that is whole; empty if it would serve."""
    archive.unpack(scratch)
    return [*_configuration(archive, scratch, source), *_history(archive, scratch)]


def _configuration(archive: Archive, scratch: Path, source: Source) -> Iterator[str]:
    config = _unpacked(archive, scratch, Kind.CONFIG)
    if config is None:
        if source.path is not None:
            yield "it holds no configuration"
        return
    keys_path = source.environ.get(KEYS_FILE, "").strip()
    keys = _unpacked(archive, scratch, Kind.KEYS, str(Path(keys_path).resolve())) if keys_path else None
    if keys_path and keys is None:
        yield f"it holds no keys file ({keys_path})"
    content = config.read_bytes()
    created = _unpacked(archive, scratch, Kind.KEYS, str(candidate.created_keys_path(source, content)))
    yield from candidate.faults_of(
        source,
        content,
        keys.read_bytes() if keys else None,
        created.read_bytes() if created else b"",  # those that stand here now would hide that it has none
    )


def _history(archive: Archive, scratch: Path) -> Iterator[str]:
    database = _unpacked(archive, scratch, Kind.HISTORY)
    if database is not None:
        yield from (f"event history: {problem}" for problem in history.problems(database))


def _unpacked(archive: Archive, scratch: Path, kind: Kind, origin: str | None = None) -> Path | None:
    found = (entry for entry in archive.manifest.files if entry.kind is kind)
    return next((scratch / entry.member for entry in found if origin in (None, entry.origin)), None)
