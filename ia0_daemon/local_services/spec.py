"""The service file: what to run, where, and when it must be restarted or reloaded.

Owns the file's names and limits. Never starts anything.

    load(path):  TOML -> Service, or SpecError naming file and key
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from ia0_daemon.local_services.errors import SpecError

AbsolutePath = Annotated[str, Meta(pattern=r"^/")]
Seconds = Annotated[float, Meta(gt=0, le=3600)]


class Service(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One service. It gets the environment that is written here and nothing of its starter's."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*$")]
    """What it is called in messages."""
    command: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Program and arguments; no shell."""
    directory: AbsolutePath
    """Working directory."""
    log_path: AbsolutePath
    """Where standard output and standard error are appended."""
    run_path: AbsolutePath
    """The run file; its path is also the mark that every process of the service carries."""
    environment: dict[str, str] = {}
    """Environment variables."""
    environment_files: tuple[AbsolutePath, ...] = ()
    """Files of ``NAME=value`` lines, read before ``environment``."""
    address: str = ""
    """Where people find it; empty: where ``ready_url`` is."""
    ready_url: str = ""
    """Answers 200 when the service is up; empty: it is up when it runs."""
    ready_timeout_s: Seconds = 30
    """How long ``ready_url`` may take."""
    stop_timeout_s: Seconds = 10
    """How long it may take to end after SIGTERM before SIGKILL."""
    restart_on: tuple[AbsolutePath, ...] = ()
    """Files (globs; ``file.toml#table`` or ``#table.key`` for a part) whose change restarts it."""
    reload_on: tuple[AbsolutePath, ...] = ()
    """Files whose change alone makes it reload."""
    reload_command: tuple[str, ...] = ()
    """Makes it reload and exits 0 when it did; empty: a change of ``reload_on`` restarts it."""
    ignore: tuple[AbsolutePath, ...] = ()
    """Globs that ``restart_on`` and ``reload_on`` leave out."""


def load(path: Path) -> Service:
    """Read one service file."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Service)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise SpecError(f"{path}: {error}") from error


def environment_of(service: Service) -> dict[str, str]:
    """Everything that the service's file and its environment files set."""
    found: dict[str, str] = {}
    for path in service.environment_files:
        found |= _read_environment_file(Path(path))
    return found | service.environment


def _read_environment_file(path: Path) -> dict[str, str]:
    """``NAME=value`` lines; blank lines and comments are left out, quotes are not special."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    meant = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    for line in meant:
        if "=" not in line:
            raise SpecError(f"{path}: {line!r} is not NAME=value")
    return dict(line.split("=", 1) for line in meant)
