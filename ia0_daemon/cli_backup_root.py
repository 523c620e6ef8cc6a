"""The root's side of ``ia0 backup``: what the two oneshot units run, and how the daemon's user asks for them.

Owns those commands' words, and giving up root where the work is the daemon's. Restores nothing itself.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import click

from ia0_daemon.backup import requested
from ia0_daemon.backup.plan import Wishes
from ia0_daemon.backup.restore import Restored
from ia0_daemon.cli_backup_session import Session, told_failures
from ia0_daemon.cli_failure import Failure, config_option, source
from ia0_daemon.settings.schema import Settings
from ia0_daemon.systemd.unit import Unit, UnitError


@click.command("root-part")
@config_option
def root_part_command(config: str) -> None:
    """Collect as root what the daemon's user may not read; run by ia0-backup-root.service."""
    state = _state_folder("root-part")
    with told_failures("root-part"):
        index = Session(config, None).service.root_collects(state)
    click.echo(f"{len(index.entries)} files are ready for the daemon")
    for note in index.notes:
        click.echo(f"  {note}")


@click.command("request")
@click.argument("archive")
@config_option
def request_command(archive: str, config: str) -> None:
    """Ask root to put back what ARCHIVE has of this host's own files; for the daemon's user."""
    settings = source(config).load()
    with told_failures("request"):
        requested.write(settings, archive)
    unit = Unit(requested.UNIT)
    try:
        unit.start()
    except UnitError as error:
        raise Failure([f"request: {error}", *(f"  {line}" for line in unit.journal(10))]) from None
    click.echo(f"root has put back what it knows; `journalctl --unit={requested.UNIT}` names it")


def restore_requested(config: str) -> tuple[Session, Restored, tuple[str, ...]]:
    """As root: do what the request says, and give what was left for an operator to do."""
    state = _state_folder("restore --from-request")
    settings = source(config).load()
    with told_failures("restore"), requested.chosen(settings, state) as chosen:
        # Lock, scratch and undo of a restore by root lie where the daemon's user cannot touch them.
        session = Session(config, str(state / requested.UNDO))
        wishes = Wishes(only=tuple(entry.origin for entry in chosen.files))
        return session, session.service.restore(str(chosen.path), wishes), chosen.left


def become_owner(settings: Settings) -> None:
    """As root: work in the archives' folder as its owner, whose links there lead root nowhere."""
    if os.geteuid() != 0 or not settings.backup.root_unit:
        return
    folder = Path(settings.backup.path)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    uid = there.stat().st_uid
    if uid == 0:
        return
    user = pwd.getpwuid(uid)
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(uid)


def _state_folder(command: str) -> Path:
    """What systemd has made for the unit; without it there is no place that is root's alone."""
    folder = os.environ.get("STATE_DIRECTORY", "")
    if os.geteuid() != 0 or not folder:
        raise Failure([f"{command}: this is run by a unit of systemd, as root, with StateDirectory="])
    return Path(folder.partition(":")[0])
