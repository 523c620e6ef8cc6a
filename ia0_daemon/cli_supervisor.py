"""``ia0 supervisor``: what the supervisor sees and would do.

Owns those commands' words. The account itself is the daemon's (`supervisor/explain.py`).
"""

from __future__ import annotations

import click

from ia0_daemon.cli_control import ask_daemon, socket_option
from ia0_daemon.cli_failure import Failure, config_option


@click.group("supervisor")
def supervisor_group() -> None:
    """Ask the supervisor of the running daemon."""


@supervisor_group.command("explain")
@config_option
@socket_option
def explain(config: str, socket_path: str | None) -> None:
    """Tell what it saw last, how far the thresholds are, and what it would do now and why."""
    lines = ask_daemon(config, socket_path, "explain")
    if not isinstance(lines, list):
        raise Failure(["explain: the daemon answered something else; is it of another version?"])
    for line in lines:
        click.echo(str(line))
