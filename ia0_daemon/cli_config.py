"""``ia0 config``: check, show and print an example.

Owns those commands' words. Never changes a file.
"""

from __future__ import annotations

import click
from click.core import ParameterSource

from ia0_daemon.cli_failure import Failure, config_option, source
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.load import NO_FILE
from ia0_daemon.settings.shown import lines
from ia0_daemon.settings.toml_text import example


@click.group("config")
def config_group() -> None:
    """Check, show and start a configuration."""


@config_group.command("check")
@click.argument("file", required=False)
@config_option
@click.pass_context
def check(context: click.Context, file: str | None, config: str) -> None:
    """Check FILE (or --config) together with the environment; every fault is a line on standard error.

    Exit code 0 if nothing is wrong in it, 1 if something is. Ports and folders are not tried.
    """
    if file is not None and context.get_parameter_source("config") is ParameterSource.COMMANDLINE:
        raise click.UsageError("FILE and --config name the same thing; give one of them")
    named = config if file is None else file
    try:
        source(named).load()
    except ConfigError as error:
        raise Failure(error.lines()) from None
    click.echo(f"{named or NO_FILE}: ok")


@config_group.command("show")
@config_option
def show(config: str) -> None:
    """Print every setting's effective value and where it comes from. Secrets are hidden."""
    try:
        loaded = source(config).read()
    except ConfigError as error:
        raise Failure(error.lines()) from None
    for key, value, origin in lines(loaded):
        click.echo(f"{key} = {value}  # {origin}")


@config_group.command("example")
def print_example() -> None:
    """Print a configuration with every setting at its default and a comment above each."""
    click.echo(example(), nl=False)
