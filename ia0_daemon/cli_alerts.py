"""``ia0 alerts``: which alerts fire, and whether a test alert arrives.

Owns those commands' words. ``list`` reads the history itself; ``test`` lets the
daemon send, since it is the daemon's user and network that count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import click
import msgspec

from ia0_daemon.cli_control import socket_option
from ia0_daemon.cli_failure import Failure, config_option, source
from ia0_daemon.cli_history import ask, history_path
from ia0_daemon.control_client import ControlError, call
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.supervisor.event_rows import alerts as firing

# Beside what the sinks may take by their own settings.
_GRACE_S = 15.0


@click.group("alerts")
def alerts_group() -> None:
    """See which alerts fire, and try whether alerts arrive."""


@alerts_group.command("list")
@config_option
@click.option("--database", metavar="PATH", help="The history; default: events.path.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the details.")
def list_alerts(config: str, database: str | None, as_json: bool) -> None:
    """List the alerts that fire now, the oldest first. Times are UTC."""
    rows = ask(history_path(config, database), firing)
    for row in rows:
        if as_json:
            click.echo(msgspec.json.encode(row))
        else:
            click.echo(f"{row.since}  {row.severity:8}  {row.name:20}  {row.summary}")
    if not rows and not as_json:
        click.echo("no alert fires")


@alerts_group.command("test")
@config_option
@socket_option
@click.option("--direct", is_flag=True, help="Send from this process, as its user; needs no daemon.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def test(config: str, socket_path: str | None, direct: bool, as_json: bool) -> None:
    """Send a test alert to every configured sink and print what came back from each.

    Exit code 0 if every sink took it, 1 if one did not or none is configured.
    """
    results = _direct(config) if direct else _by_daemon(config, socket_path)
    if as_json:
        click.echo(json.dumps(results, indent=2))
    if not results:
        raise Failure(
            ["no sink is configured: set alerts.webhook_url, alerts.webhook_url_file or alerts.command"]
        )
    lines = [
        f"{result['sink']}: {'ok' if result['ok'] else 'failed'}: {result['answer']}" for result in results
    ]
    if not all(result["ok"] for result in results):
        raise Failure(lines)
    if not as_json:
        click.echo("\n".join(lines))


def _direct(config: str) -> list[dict[str, object]]:
    # Late: the HTTP client costs time that no other command needs.
    from ia0_daemon.alerts.sink import sinks_of
    from ia0_daemon.alerts.trial import try_sinks

    try:
        settings = source(config).load()
    except ConfigError as error:
        raise Failure(error.lines()) from None
    return try_sinks(sinks_of(settings.alerts, attempts=1))


def _by_daemon(config: str, socket_path: str | None) -> list[dict[str, object]]:
    path, told_by = socket_path or "", "--socket"
    timeout_s = _GRACE_S
    try:
        settings = source(config).load()
        timeout_s += 2 * settings.alerts.webhook_timeout_s + settings.alerts.command_timeout_s
        if not path:
            path, told_by = source(config).socket_path()
        result = call(path, "alerts_test", timeout_s, told_by=told_by)
    except ConfigError as error:
        raise Failure(error.lines()) from None
    except ControlError as error:
        hint = "--direct sends the test from this process, without the daemon"
        raise Failure([f"alerts test: {error}", *error.details, f"  {hint}"]) from None
    return [dict(each) for each in result if isinstance(each, Mapping)] if isinstance(result, list) else []
