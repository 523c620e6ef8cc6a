"""What a service depends on, as digests, so that a change is noticed and named.

Owns the reading of the watched files. Never decides what a change means.

    take(service):  command, environment, watched files -> Fingerprint
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from ia0_daemon.local_services.spec import Service, environment_of


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """Digests by what they were taken of."""

    restart: dict[str, str]
    """A difference here needs a restart."""
    reload: dict[str, str]
    """A difference only here needs a reload."""


def take(service: Service) -> Fingerprint:
    """Digest everything that the service depends on."""
    restart = {
        "command": _digest([service.directory, *service.command]),
        "environment": _digest(sorted(environment_of(service).items())),
    }
    restart |= {watch: _digest_watched(watch, service.ignore) for watch in service.restart_on}
    reload = {watch: _digest_watched(watch, service.ignore) for watch in service.reload_on}
    return Fingerprint(restart=restart, reload=reload)


def changed(old: dict[str, str], new: dict[str, str]) -> tuple[str, ...]:
    """The names whose digests differ, appeared or went."""
    return tuple(name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))


def _digest_watched(watch: str, ignore: tuple[str, ...]) -> str:
    pattern, _, table = watch.partition("#")
    paths = sorted(str(path) for path in Path("/").glob(pattern.lstrip("/")) if path.is_file())
    kept = [path for path in paths if not any(fnmatch(path, unwanted) for unwanted in ignore)]
    read = (lambda path: _table_of(path, table)) if table else _file_digest
    return _digest([[path, read(path)] for path in kept])


def _file_digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _table_of(path: str, table: str) -> object:
    """A table, or with dots a key in one; None where it is not there."""
    found: object = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    for name in table.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
