"""The alerts that no single event decides: too many restarts, and a backup that does not come.

Owns those two judgements. Pure: times and bounds are given.

    restart_loop(times, now, ...) -> Change; backup_stale(newest, now, ...) -> Change
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ia0_daemon.alerts.rules import Alert, Change
from ia0_daemon.supervisor.event_kinds import Kind

# Each is one more time that the engine was gone. A crash is followed by a restart of its own, so a restart
# counts when it begins, and a crash by the restart that follows it.
COUNTED = frozenset({Kind.RESTART_STARTED})


def restart_loop(times: Sequence[datetime], now: datetime, count: int, window: timedelta) -> Change:
    """Whether the engine was restarted `count` times within the window."""
    recent = [time for time in times if now - window < time]
    minutes = window.total_seconds() / 60
    summary = f"The engine was restarted {len(recent)} times within {minutes:g} minutes; {count} are a loop."
    details: dict[str, object] = {"restarts": len(recent), "window_s": window.total_seconds()}
    return Change(Alert.RESTART_LOOP, len(recent) >= count, summary, "critical", details)


def backup_stale(newest: datetime | None, since: datetime, now: datetime, limit: timedelta) -> Change:
    """Whether the newest backup is too old. Where there is none, the time counts from `since`."""
    age = now - (newest or since)
    hours, allowed = age.total_seconds() / 3600, limit.total_seconds() / 3600
    if newest is None:
        summary = f"No backup was made for {hours:.1f} hours; one is due every {allowed:g} hours at least."
    else:
        summary = f"The newest backup is {hours:.1f} hours old; {allowed:g} are allowed."
    details: dict[str, object] = {"age_s": round(age.total_seconds()), "limit_s": limit.total_seconds()}
    return Change(Alert.BACKUP_STALE, age > limit, summary, "error", details)
