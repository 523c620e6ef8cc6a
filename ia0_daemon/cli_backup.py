"""``ia0 backup``: make, look at, compare, restore and undo archives of this host's configuration.

Owns those commands' words. Never touches a file itself (``backup.service`` does); works without a daemon.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from ia0_daemon.backup.compare import Difference, State
from ia0_daemon.backup.plan import Wishes
from ia0_daemon.backup.restore import Restored
from ia0_daemon.backup.shelf import LATEST, Listed
from ia0_daemon.cli_backup_root import (
    become_owner,
    request_command,
    restore_requested,
    root_part_command,
)
from ia0_daemon.cli_backup_session import Session, told_failures
from ia0_daemon.cli_failure import Failure, config_option

F = TypeVar("F", bound=Callable[..., Any])

archive_argument = click.argument("archive", default=LATEST)
only_option = click.option(
    "--file", "only", multiple=True, metavar="PATH", help="Only this file, by its path or the end of it."
)


def folder_option(function: F) -> F:
    """``--folder PATH``, by default what the configuration says."""
    return click.option("--folder", metavar="PATH", help="Folder of the archives; default: backup.path.")(
        function
    )


@click.group("backup")
def backup_group() -> None:
    """Save and restore the configuration, the keys, the models' descriptions and the event history.

    ARCHIVE is a name in the folder, a path, or `latest`.
    """


@backup_group.command("create")
@config_option
@folder_option
def create(config: str, folder: str | None) -> None:
    """Make an archive, read it back, and tell what could not be saved."""
    session = _session(config, folder)
    become_owner(session.settings)
    with told_failures("create"):
        made = session.service.create()
    click.echo(f"{made.path}: {len(made.manifest.files)} files, {made.size} bytes")
    for note in made.manifest.notes:
        click.echo(f"  {note}")


@backup_group.command("list")
@config_option
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_archives(config: str, folder: str | None, as_json: bool) -> None:
    """Tell of every archive, the newest first, and whether it is whole."""
    with told_failures("list"):
        found = _session(config, folder).service.archives()
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found], indent=2))
        return
    for each in found:
        click.echo(f"{each.path.name}  {each.size} bytes  {_verdict(each)}")
    if not found:
        click.echo("there are no archives")


@backup_group.command("verify")
@archive_argument
@config_option
@folder_option
def verify(archive: str, config: str, folder: str | None) -> None:
    """Read ARCHIVE as a whole and check it bit by bit; exit code 1 if it is damaged."""
    with told_failures("verify"):
        found = _session(config, folder).service.verify(archive)
    click.echo(f"{found.path}: {_verdict(found)}")


@backup_group.command("diff")
@archive_argument
@only_option
@config_option
@folder_option
def diff(archive: str, only: tuple[str, ...], config: str, folder: str | None) -> None:
    """Show what a restore of ARCHIVE would change. Secrets are hidden."""
    with told_failures("diff"):
        found = _session(config, folder).service.diff(archive, only)
    _show(found)


@backup_group.command("restore")
@archive_argument
@click.option("--from-request", is_flag=True, help="What the daemon's user asked for; ia0-restore.service.")
@only_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force-host", is_flag=True, help="Take the archive of another host.")
@click.option("--new-paths", is_flag=True, help="Write also where the present configuration saves nothing.")
@click.option("--history", is_flag=True, help="Put the event history back although there is one.")
@config_option
@folder_option
def restore(
    archive: str,
    from_request: bool,
    only: tuple[str, ...],
    yes: bool,
    force_host: bool,
    new_paths: bool,
    history: bool,
    config: str,
    folder: str | None,
) -> None:
    """Put the files of ARCHIVE in place, after showing what changes. `ia0 backup undo` takes it back."""
    if from_request:
        _restore_requested(config)
        return
    session = _session(config, folder)
    with told_failures("restore"):
        _show(session.service.diff(archive, only))
        _asked(yes, "Restore?")
        done = session.service.restore(archive, Wishes(only, force_host, new_paths, history))
    _tell_and_reload(session, done)


@backup_group.command("undo")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@folder_option
def undo(yes: bool, config: str, folder: str | None) -> None:
    """Bring back what the last restore replaced. Once more undoes the undo."""
    session = _session(config, folder)
    with told_failures("undo"):
        _show(session.service.diff(str(session.service.last_undo())))
        _asked(yes, "Undo?")
        done = session.service.undo()
    _tell_and_reload(session, done)


@backup_group.command("prune")
@config_option
@folder_option
def prune(config: str, folder: str | None) -> None:
    """Delete archives that are too many (backup.keep) or too old (backup.keep_age_s)."""
    with told_failures("prune"):
        gone = _session(config, folder).service.prune()
    for path in gone:
        click.echo(f"deleted {path.name}")
    if not gone:
        click.echo("nothing to delete")


@backup_group.command("test")
@config_option
@folder_option
def test(config: str, folder: str | None) -> None:
    """Unpack the newest archive in a scratch folder and check what is in it, as the daemon does regularly."""
    with told_failures("test"):
        problems = _session(config, folder).service.test()
    if problems:
        raise Failure(["the newest archive would not restore:", *(f"  {each}" for each in problems)])
    click.echo("the newest archive is whole; its configuration and its history pass their checks")


def _restore_requested(config: str) -> None:
    session, done, left = restore_requested(config)
    for path in left:
        click.echo(f"left: {path}: root has not seen this content here; an operator restores it as root")
    _tell_and_reload(session, done)


def _session(config: str, folder: str | None) -> Session:
    """The session; a broken configuration is told and no obstacle: then a restore is needed most."""
    session = Session(config, folder)
    for fault in session.faults:
        click.echo(f"the present configuration is wrong: {fault}", err=True)
    if session.faults and folder is None:
        click.echo(f"looking for archives in {session.service.folder.path}; --folder names another", err=True)
    return session


def _asked(yes: bool, question: str) -> None:
    if not yes and not click.confirm(question, err=True):
        raise Failure(["nothing was touched"])


def _show(found: Sequence[Difference]) -> None:
    for each in found:
        click.echo(f"{each.state}: {each.path}")
        for line in each.lines:
            click.echo(f"    {line}")
    if all(each.state is State.SAME for each in found):
        click.echo("nothing differs")


def _tell_and_reload(session: Session, done: Restored) -> None:
    for path in done.put:
        click.echo(f"restored {path}")
    for path in done.deleted:
        click.echo(f"deleted {path}")
    for note in done.notes:
        click.echo(f"note: {note}")
    if done.undo is None:
        click.echo("nothing was to be done")
        return
    click.echo(f"the state before is in {done.undo.name}; `ia0 backup undo` brings it back")
    if done.configuration_changed:
        for line in session.reload():
            click.echo(line)


def _verdict(found: Listed) -> str:
    if found.manifest is None:
        return f"NOT GOOD: {found.problem}"
    kind = "" if found.manifest.purpose == "backup" else "  (undo of a restore)"
    wrong = "" if found.manifest.configuration_ok else "  (its configuration is wrong)"
    return f"good, {len(found.manifest.files)} files, of {found.manifest.host}{kind}{wrong}"


def _as_json(found: Listed) -> dict[str, object]:
    return {
        "path": str(found.path),
        "made": found.made.isoformat(),
        "size": found.size,
        "good": found.manifest is not None,
        "configuration_ok": found.is_good,
        "purpose": found.manifest.purpose if found.manifest else None,
        "files": len(found.manifest.files) if found.manifest else None,
        "problem": found.problem,
    }


backup_group.add_command(root_part_command)
backup_group.add_command(request_command)
