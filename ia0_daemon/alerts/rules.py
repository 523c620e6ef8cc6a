"""Which alerts there are, and which events make them fire or end.

Owns the names and that table; `docs/events-and-alerts.md` and
`docs/troubleshooting.md` are held against it by tests. Pure.

    changes(event) -> (Change(alert, firing, ...), ...)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from ia0_daemon.supervisor.event_kinds import Kind, Severity
from ia0_daemon.supervisor.events import Event


class Alert(StrEnum):
    """A condition that somebody should know of. A name is part of the interface: it is never changed."""

    ENGINE_DOWN = "engine_down"
    SUPERVISOR_FAILED = "supervisor_failed"
    MEMORY_HARD = "memory_hard"
    RESTART_REFUSED = "restart_refused"
    RESTART_LOOP = "restart_loop"
    BACKUP_FAILED = "backup_failed"
    BACKUP_STALE = "backup_stale"
    RESTORE_TEST_FAILED = "restore_test_failed"
    DISK_LOW = "disk_low"
    CONFIG_REFUSED = "config_refused"
    EVENT_STORE_BROKEN = "event_store_broken"


@dataclass(frozen=True)
class Change:
    """What was found out about one alert. `severity` and `details` matter while it fires."""

    alert: Alert
    firing: bool
    summary: str
    severity: Severity = "error"
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """The kinds of events that make an alert fire, and those that end it."""

    fires: frozenset[Kind]
    ends: frozenset[Kind]


def _rule(fires: Kind, *ends: Kind) -> Rule:
    return Rule(frozenset({fires}), frozenset(ends))


# `restart_loop` and `backup_stale` are no single event: see `conditions.py`.
RULES: dict[Alert, Rule] = {
    Alert.ENGINE_DOWN: Rule(
        frozenset({Kind.ENGINE_DOWN, Kind.ENGINE_CRASHED}), frozenset({Kind.ENGINE_UP, Kind.ENGINE_RESTARTED})
    ),
    Alert.SUPERVISOR_FAILED: _rule(Kind.SUPERVISOR_FAILED, Kind.SUPERVISOR_RECOVERED),
    Alert.MEMORY_HARD: _rule(Kind.MEMORY_HARD, Kind.MEMORY_OK, Kind.MEMORY_SOFT),
    Alert.RESTART_REFUSED: _rule(
        Kind.RESTART_REFUSED,
        Kind.ENGINE_RESTARTED,
        Kind.ENGINE_UP,
        Kind.MEMORY_OK,
        Kind.MEMORY_SOFT,
        Kind.SUPERVISOR_RECOVERED,
    ),
    Alert.BACKUP_FAILED: _rule(Kind.BACKUP_FAILED, Kind.BACKUP_MADE),
    Alert.RESTORE_TEST_FAILED: _rule(Kind.RESTORE_TEST_FAILED, Kind.RESTORE_TEST_OK),
    Alert.DISK_LOW: _rule(Kind.DISK_LOW, Kind.DISK_OK),
    # A daemon that has started has read a right one.
    Alert.CONFIG_REFUSED: _rule(Kind.CONFIG_REFUSED, Kind.CONFIG_RELOADED, Kind.DAEMON_STARTED),
    Alert.EVENT_STORE_BROKEN: _rule(Kind.EVENT_STORE_BROKEN, Kind.EVENT_STORE_OK),
}

# What is not told while something graver says it already.
SAID_BY: dict[Alert, Alert] = {
    Alert.ENGINE_DOWN: Alert.SUPERVISOR_FAILED,
    Alert.RESTART_LOOP: Alert.SUPERVISOR_FAILED,
    Alert.RESTART_REFUSED: Alert.SUPERVISOR_FAILED,
}

# What only a running daemon knows: after its restart, one that is not seen again is over.
SEEN_AGAIN = frozenset(
    {
        Alert.ENGINE_DOWN,
        Alert.SUPERVISOR_FAILED,
        Alert.MEMORY_HARD,
        Alert.RESTART_REFUSED,
        Alert.DISK_LOW,
        Alert.EVENT_STORE_BROKEN,
    }
)


def changes(event: Event) -> Iterator[Change]:
    """What an event says about the alerts."""
    for alert, rule in RULES.items():
        if event.kind in rule.fires:
            yield Change(alert, True, event.summary, event.severity, event.details)
        elif event.kind in rule.ends:
            yield Change(alert, False, event.summary)
