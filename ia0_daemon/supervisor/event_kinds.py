"""The kinds of events, how grave each is, and how grave a thing can be.

Owns these names; `docs/events-and-alerts.md` is held against them by a test.
Never knows who records an event or who reads it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Severity = Literal["info", "warning", "error", "critical"]

# In rising order.
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error", "critical")


class Kind(StrEnum):
    """What an event is about. A kind's name is part of the interface: it is never renamed."""

    DAEMON_STARTED = "daemon_started"
    DAEMON_STOPPED = "daemon_stopped"
    CONFIG_RELOADED = "config_reloaded"
    CONFIG_REFUSED = "config_refused"

    ENGINE_DOWN = "engine_down"
    ENGINE_UP = "engine_up"
    ENGINE_CRASHED = "engine_crashed"
    ENGINE_RESTARTED = "engine_restarted"

    MEMORY_SOFT = "memory_soft"
    MEMORY_HARD = "memory_hard"
    MEMORY_OK = "memory_ok"
    DISK_LOW = "disk_low"
    DISK_OK = "disk_ok"

    RESTART_STARTED = "restart_started"
    RESTART_FAILED = "restart_failed"
    RESTART_REFUSED = "restart_refused"
    SUPERVISOR_FAILED = "supervisor_failed"
    SUPERVISOR_RECOVERED = "supervisor_recovered"
    DRAIN = "drain"
    UNDRAIN = "undrain"

    BACKUP_MADE = "backup_made"
    BACKUP_FAILED = "backup_failed"
    BACKUP_PRUNED = "backup_pruned"
    RESTORE_DONE = "restore_done"
    RESTORE_FAILED = "restore_failed"
    RESTORE_UNDONE = "restore_undone"
    RESTORE_TEST_OK = "restore_test_ok"
    RESTORE_TEST_FAILED = "restore_test_failed"

    ALERT_FIRING = "alert_firing"
    ALERT_RESOLVED = "alert_resolved"
    ALERT_FAILED = "alert_failed"
    ALERT_RECOVERED = "alert_recovered"

    EVENT_STORE_BROKEN = "event_store_broken"
    EVENT_STORE_OK = "event_store_ok"


_SEVERITY: dict[Kind, Severity] = {
    Kind.CONFIG_REFUSED: "error",
    Kind.ENGINE_DOWN: "error",
    Kind.ENGINE_CRASHED: "error",
    Kind.MEMORY_SOFT: "warning",
    Kind.MEMORY_HARD: "error",
    Kind.DISK_LOW: "warning",
    Kind.RESTART_FAILED: "error",
    Kind.RESTART_REFUSED: "warning",
    Kind.SUPERVISOR_FAILED: "critical",
    Kind.BACKUP_FAILED: "error",
    Kind.RESTORE_FAILED: "error",
    Kind.RESTORE_TEST_FAILED: "error",
    Kind.ALERT_FIRING: "warning",
    Kind.ALERT_FAILED: "error",
    Kind.EVENT_STORE_BROKEN: "error",
}


def usual_severity(kind: Kind) -> Severity:
    """How grave an event of this kind is where its recorder does not say."""
    return _SEVERITY.get(kind, "info")
