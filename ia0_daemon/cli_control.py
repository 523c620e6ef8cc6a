"""``ia0 reload``, ``status``, ``restart``, ``drain`` and ``undrain``: what the daemon is asked.

Owns finding the socket and telling the answer. Never knows what a command does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from ia0_daemon.cli_failure import Failure, config_option, source
from ia0_daemon.control_client import ControlError, call
from ia0_daemon.settings.faults import ConfigError

F = TypeVar("F", bound=Callable[..., Any])

# A reload asks the engine nothing and a status only what is known already.
_TIMEOUT_S = 10.0
# The engine may take restart.ready_timeout_s to answer, and then loads models; the daemon bounds both.
_UNDRAIN_TIMEOUT_S = 4 * 3600.0
# How often a drain looks whether the last answer is out, in seconds.
_LOOK_S = 0.2


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
@click.option("--ready", "must_be_ready", is_flag=True, help="Exit with 1 where requests would fail now.")
def status(config: str, socket_path: str | None, as_json: bool, must_be_ready: bool) -> None:
    """Tell how the running daemon is: what is wrong, engine, models, requests under way, drain.

    `reasons` are why requests would fail now; `troubles` what is wrong though they are answered.
    """
    result = ask_daemon(config, socket_path, "status")
    for line in [json.dumps(result, indent=2)] if as_json else _told(result):
        click.echo(line)
    if must_be_ready and not (isinstance(result, Mapping) and result.get("ready")):
        raise click.exceptions.Exit(1)


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
@click.option(
    "--hold", is_flag=True, help="Let new requests wait (restart.max_wait_s) instead of refusing them."
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 86400),
    metavar="SECONDS",
    help="Return when no answer is under way at the engine, at the latest after so long.",
)
@click.option("--reason", default="", help="Why; callers and the history are told.")
def drain(config: str, socket_path: str | None, hold: bool, wait_s: float | None, reason: str) -> None:
    """Take this host out of service: answers finish, new requests are refused (or wait: --hold).

    It stands until `ia0 undrain`, also over a restart of the daemon. Meanwhile the engine is yours: the
    supervisor does not restart it. An answer that your restart of it cuts goes on afterwards.
    """
    result = ask_daemon(config, socket_path, "drain", {"hold": hold, "reason": reason})
    if wait_s is not None:
        until = time.monotonic() + wait_s
        while _is_busy(result) and time.monotonic() < until:
            time.sleep(_LOOK_S)
            result = ask_daemon(config, socket_path, "under_way")
    for line in _told(result):
        click.echo(line)


def _is_busy(under_way: object) -> bool:
    return isinstance(under_way, Mapping) and any(under_way.values())


@click.command()
@config_option
@socket_option
@click.option("--now", is_flag=True, help="Open at once, whatever the engine does.")
def undrain(config: str, socket_path: str | None, now: bool) -> None:
    """Put this host back into service, when its engine answers and has loaded what was loaded before.

    Exit code 1 where the engine does not answer within restart.ready_timeout_s; the host then stays drained.
    """
    ask_daemon(config, socket_path, "undrain", {"now": now}, timeout_s=_UNDRAIN_TIMEOUT_S)
    click.echo("This host is in service.")


def ask_daemon(
    config: str,
    socket_path: str | None,
    command: str,
    args: Mapping[str, object] | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> object:
    """What the running daemon answers to a command; a refusal is a failure of this command."""
    try:
        path, told_by = (socket_path, "--socket") if socket_path else _configured(config)
        return call(path, command, timeout_s, args, told_by=told_by)
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
