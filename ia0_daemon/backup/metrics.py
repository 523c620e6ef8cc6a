"""The backups' metrics, from what is remembered in their folder.

Owns the names; `docs/metrics.md` lists them. Never makes or reads an archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from ia0_daemon.backup import state
from ia0_daemon.backup.errors import BackupError
from ia0_daemon.backup.folder import Folder


def families(folder: Path) -> Iterator[Metric]:
    """Every gauge. A time and a result are missing as long as there was none."""
    known = state.read(folder)
    yield from _outcome("ia0_backup", "backup", known.backup)
    yield from _outcome("ia0_backup_restore_test", "test of a restore", known.restore_test)
    yield _gauge("ia0_backup_last_size_bytes", "Size of the last good archive.", known.backup.size)
    yield _gauge("ia0_backup_archives", "Archives in the folder.", _count(folder))


def _count(folder: Path) -> int:
    try:
        return len(Folder(folder).archives("backup"))
    except BackupError:
        return 0


def _outcome(name: str, what: str, outcome: state.Outcome) -> Iterator[Metric]:
    if outcome.tried_at:
        text = f"When the last {what} was tried, in seconds since 1970."
        yield _gauge(f"{name}_last_attempt_timestamp_seconds", text, outcome.tried_at)
        yield _gauge(f"{name}_last_result", f"1 if the last {what} went well, 0 if not.", outcome.ok)
    if outcome.ok_at:
        text = f"When the last good {what} was, in seconds since 1970."
        yield _gauge(f"{name}_last_success_timestamp_seconds", text, outcome.ok_at)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
