"""Processes as ``/proc`` tells them: identity, the mark of a service, signals.

Owns every look at and every signal to a process. Never decides whom to signal.

A pid alone says nothing, since pids are used again. An ``Identity`` is the pid,
the process's start time in clock ticks since boot, and the boot it belongs to.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec

MARK = "IA0_SERVICE_RUN_FILE"
"""The environment variable that every process of a service carries; its value is the run file's path."""

_PROC = Path("/proc")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One process, for ever."""

    pid: int
    start_ticks: int
    boot_id: str


def identify(pid: int) -> Identity | None:
    """Who has this pid now; None where nobody has, or only a zombie that waits to be reaped."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name (field 2) stands in brackets and may hold blanks and brackets itself.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return None
    return Identity(pid=pid, start_ticks=int(fields[19]), boot_id=_boot_id())


def is_alive(identity: Identity) -> bool:
    """Whether exactly this process still runs."""
    return identify(identity.pid) == identity


def marked(run_path: str) -> list[Identity]:
    """All processes of this user that carry the mark of that run file."""
    mark = f"{MARK}={run_path}".encode()
    found = (identify(pid) for pid in _pids() if mark in _environment(pid))
    return [identity for identity in found if identity is not None]


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal this very process; nothing happens where it has ended."""
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return
    try:
        # The descriptor holds on to the process: it cannot be replaced between the look and the signal.
        if is_alive(identity):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def command_line(pid: int) -> str:
    """The command of a process as one line; empty where it cannot be read."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def _pids() -> Iterator[int]:
    return (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or belongs to another user
        return []


def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
