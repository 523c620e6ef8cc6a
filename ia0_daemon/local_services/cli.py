"""``python -m ia0_daemon.local_services``: what the roles and the Makefile call.

Owns the command line. Never decides anything; ``start`` and ``stop`` print one
JSON object whose ``changed`` Ansible reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from ia0_daemon.local_services import manager, ports, processes
from ia0_daemon.local_services.errors import ServiceError
from ia0_daemon.local_services.manager import Outcome, Status
from ia0_daemon.local_services.spec import load

_ROW = "{:<10} {:<14} {:>8} {:>10}  {:<26} {:<23} {}"
_FILE = click.Path(dir_okay=False, path_type=Path)
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@click.group()
def main() -> None:
    """Start, stop and look at the services of the local try-out."""


@main.command()
@click.argument("file", type=_FILE)
@_dry_run
def start(file: Path, dry_run: bool) -> None:
    """Bring the service of FILE to what its file says."""
    with _explained():
        _tell(manager.start(load(file), dry_run=dry_run))


@main.command()
@click.argument("file", type=_FILE)
@_dry_run
def stop(file: Path, dry_run: bool) -> None:
    """End the service of FILE and everything that it started."""
    with _explained():
        _tell(manager.stop(load(file), dry_run=dry_run))


@main.command()
@click.argument("files", type=_FILE, nargs=-1, required=True)
def status(files: tuple[Path, ...]) -> None:
    """Print a table of the services of FILES; a missing file is a service that was never set up.

    Exit 0 when everything that was set up runs.
    """
    with _explained():
        found = [manager.status(load(file)) if file.exists() else None for file in files]
    click.echo(_ROW.format("SERVICE", "STATE", "PID", "PROCESSES", "SINCE", "ADDRESS", "LOG"))
    for file, status_ in zip(files, found, strict=True):
        click.echo(_row(file.stem, status_))
    set_up = [status_ for status_ in found if status_ is not None]
    raise SystemExit(0 if set_up and all(status_.state == "running" for status_ in set_up) else 1)


@main.command()
@click.argument("addresses", nargs=-1, required=True)
@click.option("--own", default="", help="A service's run file; its processes may have the address.")
def port(addresses: tuple[str, ...], own: str) -> None:
    """Exit 0 when every HOST:PORT can be used; otherwise say who has it."""
    ours = {identity.pid for identity in processes.marked(own)} if own else set()
    faults = [ports.fault(*_split(address), ours) for address in addresses]
    for text in filter(None, faults):
        click.echo(text, err=True)
    raise SystemExit(1 if any(faults) else 0)


def _row(name: str, found: Status | None) -> str:
    if found is None:
        return _ROW.format(name, "not set up", "-", "-", "-", "-", "-")
    since, address = found.since or "-", found.address or "-"
    return _ROW.format(
        found.service, found.state, found.pid or "-", found.processes, since, address, found.log_path
    )


def _split(address: str) -> tuple[str, int]:
    host, _, number = address.rpartition(":")
    if not host or not number.isdigit():
        raise click.BadParameter(f"{address!r} is not HOST:PORT")
    return host.strip("[]"), int(number)


def _tell(outcome: Outcome) -> None:
    click.echo(msgspec.json.encode(outcome).decode())


@contextmanager
def _explained() -> Iterator[None]:
    """A fault of a service ends the command with its text and 1, not with a traceback."""
    try:
        yield
    except ServiceError as error:
        raise click.ClickException(str(error)) from error
