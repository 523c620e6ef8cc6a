"""How the ``ia0`` command fails, and where it finds its configuration.

Owns exit code 1 and the option ``--config``. Never runs a command.

Exit codes: 0 done; 1 refused or failed, with the reason on standard error; 2 wrong usage.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from ia0_daemon.settings.load import Source

DEFAULT_CONFIG = "/etc/ia0/ia0.toml"

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """Something was refused or failed: its lines go to standard error, one reason a line."""

    exit_code = 1

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines as they are: they name the key, the value and the rule already."""
        click.echo(self.message, file=file, err=file is None)


def config_option(function: F) -> F:
    """``--config FILE``, by default $IA0_CONFIG or /etc/ia0/ia0.toml; empty means no file at all."""
    return click.option(
        "--config",
        "config",
        envvar="IA0_CONFIG",
        default=DEFAULT_CONFIG,
        show_default=True,
        show_envvar=True,
        metavar="FILE",
        help="Configuration file; an empty one means environment and defaults alone.",
    )(function)


def source(config: str) -> Source:
    """The configuration of this process: the named file, its environment, on this machine."""
    return Source(Path(config) if config else None, os.environ, machine_bytes())


def machine_bytes() -> int:
    """Memory of this machine, against which the thresholds of ``[memory]`` are checked."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
