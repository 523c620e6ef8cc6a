"""The rules for units of systemd that the configuration names.

Owns what may be handed to systemctl. Never asks systemd: whether a unit exists is known where it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ia0_daemon.settings.findings import Finding
from ia0_daemon.settings.schema import Settings

# systemd.unit(5): at most 255 characters; the instance of a template stands behind the @.
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.\\-]{0,199}(?:@[A-Za-z0-9:_.\\-]{1,40})?\.service")


def units_are_services(settings: Settings) -> Iterator[Finding]:
    """What systemctl is given is a unit's name, never an option or a path."""
    named = {
        "restart.engine_unit": settings.restart.engine_unit,
        "backup.root_unit": settings.backup.root_unit,
    }
    for key, name in named.items():
        if name and not _UNIT.fullmatch(name):
            yield Finding(key, name, "is not the name of a service unit, such as ollama.service")


def the_engine_has_one_keeper(settings: Settings) -> Iterator[Finding]:
    """An engine is a unit, or a process of this user; two who restart it would undo each other."""
    restart = settings.restart
    if restart.engine_unit and restart.engine_service_file:
        rule = (
            f"excludes restart.engine_service_file ({restart.engine_service_file}): the engine runs as a "
            "unit or as a process of this user; leave one of them empty"
        )
        yield Finding("restart.engine_unit", restart.engine_unit, rule, ("restart.engine_service_file",))
