"""Which settings a reload cannot apply.

Owns that list. Never applies anything.

    changed_needing_restart(old, new) -> ["server.listen"]
"""

from __future__ import annotations

from ia0_daemon.settings.catalogue import Path, settings
from ia0_daemon.settings.schema import Settings

# The listeners, their threads and their sockets are made once, at start.
_SECTION = "server"
# The history, the engine's controller, the day's count of tokens and the shared store are made once as well.
_ONCE: frozenset[Path] = frozenset(
    {
        ("events", "path"),
        ("restart", "engine_service_file"),
        ("restart", "engine_unit"),
        ("auth", "usage_path"),
        ("shared", "url"),
        ("shared", "url_file"),
        ("shared", "prefix"),
        ("shared", "timeout_s"),
    }
)


def needs_restart(path: Path) -> bool:
    """Whether a change of this setting waits for the next start."""
    return path[0] == _SECTION or path in _ONCE


def changed_needing_restart(old: Settings, new: Settings) -> list[str]:
    """Keys that differ and that a reload cannot apply, in the order of the schema."""
    return [
        setting.key
        for setting in settings()
        if needs_restart(setting.path) and _value(old, setting.path) != _value(new, setting.path)
    ]


def _value(settings: Settings, path: Path) -> object:
    value: object = settings
    for part in path:
        value = getattr(value, part)
    return value
