"""The ``ia0`` command: its table of contents.

Owns the list of commands and starting the daemon. Never does a command's work.

Exit codes: 0 done; 1 refused or failed, with the reason on standard error; 2 wrong usage.
"""

from __future__ import annotations

import click

from ia0_daemon import __version__
from ia0_daemon.cli_alerts import alerts_group
from ia0_daemon.cli_backup import backup_group
from ia0_daemon.cli_config import config_group
from ia0_daemon.cli_control import drain, reload, restart, status, undrain
from ia0_daemon.cli_events import events
from ia0_daemon.cli_failure import config_option, source
from ia0_daemon.cli_keys import keys_group
from ia0_daemon.cli_supervisor import supervisor_group


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """IA-0: the door in front of Ollama.

    Exit codes: 0 done; 1 refused or failed, with the reason on standard error; 2 wrong usage.
    """


@main.command()
@config_option
@click.pass_context
def serve(context: click.Context, config: str) -> None:
    """Run the daemon in the foreground until SIGTERM or SIGINT; SIGHUP reloads."""
    # Late: Flask and waitress cost time and memory that no other command needs.
    from ia0_daemon.server import run

    context.exit(run(source(config)))


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(f"ia0 {__version__}")


for command in (
    config_group,
    keys_group,
    reload,
    status,
    restart,
    drain,
    undrain,
    alerts_group,
    events,
    backup_group,
    supervisor_group,
):
    main.add_command(command)
