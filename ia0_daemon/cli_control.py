"""``ia0 reload`` and ``ia0 status``: what the running daemon is asked through its socket.

Owns finding the socket and telling the answer. Never knows what a command does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from ia0_daemon.cli_failure import Failure, config_option, source
from ia0_daemon.control_client import ControlError, call
from ia0_daemon.settings.faults import ConfigError

F = TypeVar("F", bound=Callable[..., Any])

# A reload asks the engine nothing and a status only what is known already.
_TIMEOUT_S = 10.0


def socket_option(function: F) -> F:
    """``--socket PATH``, by default what the configuration says."""
    return click.option(
        "--socket", "socket_path", metavar="PATH", help="The daemon's socket; default: server.socket_path."
    )(function)


@click.command()
@config_option
@socket_option
def reload(config: str, socket_path: str | None) -> None:
    """Let the running daemon read its configuration again. A wrong one is refused and the old one stays."""
    result = ask_daemon(config, socket_path, "reload")
    for line in _told(result):
        click.echo(line)


@click.command()
@config_option
@socket_option
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def status(config: str, socket_path: str | None, as_json: bool) -> None:
    """Tell how the running daemon is: version, process, engine, models, requests under way."""
    result = ask_daemon(config, socket_path, "status")
    for line in [json.dumps(result, indent=2)] if as_json else _told(result):
        click.echo(line)


@click.command()
@config_option
@socket_option
@click.option("--reason", default="an operator asked for it", help="Why; kept with the event.")
def restart(config: str, socket_path: str | None, reason: str) -> None:
    """Restart the engine without losing a request. Also leaves FAILED. Returns when it has begun."""
    ask_daemon(config, socket_path, "restart", {"reason": reason})
    click.echo("The engine is being restarted; requests wait meanwhile. `ia0 events` tells how it went.")


@click.command()
@config_option
@socket_option
def drain(config: str, socket_path: str | None) -> None:
    """Take this host out of service: answers finish, new requests are refused, readiness says no."""
    result = ask_daemon(config, socket_path, "drain")
    for line in _told(result):
        click.echo(line)


@click.command()
@config_option
@socket_option
def undrain(config: str, socket_path: str | None) -> None:
    """Put this host back into service."""
    ask_daemon(config, socket_path, "undrain")
    click.echo("This host is in service.")


def ask_daemon(
    config: str, socket_path: str | None, command: str, args: Mapping[str, object] | None = None
) -> object:
    """What the running daemon answers to a command; a refusal is a failure of this command."""
    try:
        path, told_by = (socket_path, "--socket") if socket_path else _configured(config)
        return call(path, command, _TIMEOUT_S, args, told_by=told_by)
    except ConfigError as error:
        raise Failure(
            [*error.lines(), "so the daemon's socket is not known; name it with --socket PATH"]
        ) from None
    except ControlError as error:
        raise Failure([f"{command}: {error}", *(f"  {detail}" for detail in error.details)]) from None


def _configured(config: str) -> tuple[str, str]:
    path, origin = source(config).socket_path()
    return path, f"server.socket_path, {origin}"


def _told(result: object, indent: str = "") -> Iterator[str]:
    """An answer for a person: one line per value, nested ones indented, entries of lists behind a dash."""
    if isinstance(result, Mapping):
        for key, value in result.items():
            if isinstance(value, Mapping | list) and value:
                yield f"{indent}{key}:"
                yield from _told(value, indent + "  ")
            else:
                yield f"{indent}{key}: {_scalar(value)}"
    elif isinstance(result, list):
        for entry in result:
            first, *others = [*_told(entry, indent + "  ")] or [indent]
            yield f"{indent}- {first.lstrip()}"
            yield from others
    else:
        yield f"{indent}{_scalar(result)}"


def _scalar(value: object) -> str:
    if value in (None, "", [], {}):
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
