"""What `/health` and `ia0 status` say of the supervisor.

Owns the names of these fields. Asks nothing of the machine: it tells what is known already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ia0_daemon.backup.folder import Named
    from ia0_daemon.supervisor.sense import View
    from ia0_daemon.supervisor.supervisor import Supervisor


def tell_status(supervisor: Supervisor, *, can_restart: bool) -> dict[str, Any]:
    """Tell how it is; times in seconds."""
    standing = supervisor.standing()
    return {
        "state": "failed" if supervisor.failed else "watching" if can_restart else "observing",
        "failed_because": supervisor.failed,
        "remedy": supervisor.remedy.phase if supervisor.remedy else "idle",
        "drained": supervisor.drained.told() if supervisor.drained else None,
        "verdict": supervisor.last[1].level if supervisor.last else "unknown",
        "restarts_in_window": standing.used,
        "restarts_left": standing.left,
        "cooldown_left_s": round(standing.cooldown_left_s, 1),
    }


def tell_facts(supervisor: Supervisor, view: View | None, newest: Named | None) -> dict[str, Any]:
    """Tell of the last restart, the newest archive, and what the engine holds."""
    engine = view.sample.engine if view else None
    return {
        "last_restart": supervisor.last_restart,
        "backup": {"at": newest.made.isoformat(), "path": str(newest.path)} if newest else None,
        "memory": {"held_bytes": engine.held_bytes if engine else None},
    }
