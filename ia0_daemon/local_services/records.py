"""The run file: which process is the service, and what it was started with.

Owns the file's shape and its atomic writing. Never looks at processes.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from ia0_daemon.local_services.fingerprints import Fingerprint
from ia0_daemon.local_services.processes import Identity


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a run file."""

    name: str
    identity: Identity
    fingerprint: Fingerprint
    started_at: str


def read(path: Path) -> Record | None:
    """What is remembered; None where nothing is, or where the file is damaged or of another version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write(path: Path, record: Record) -> None:
    """Replace the run file in one step; a reader sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record)))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def forget(path: Path) -> None:
    """Remove the run file, if it is there."""
    path.unlink(missing_ok=True)
