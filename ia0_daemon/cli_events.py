"""``ia0 events``: what happened on this host, and what was done about it.

Owns the table and the JSON lines. Reads the database itself, so that it answers
also where no daemon runs. Never writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import msgspec

from ia0_daemon.cli_failure import config_option
from ia0_daemon.cli_history import ask, history_path
from ia0_daemon.cli_history import since as since_moment
from ia0_daemon.supervisor.event_kinds import SEVERITIES, Kind
from ia0_daemon.supervisor.event_rows import Row, Wanted, select

# How often those who follow look for more, in seconds.
LOOK_S = 0.5
# How much of what was before they see first.
BEFORE = 10

_FORMAT = "{:24}  {:8}  {:20}  {}"


@click.command()
@config_option
@click.option("--database", metavar="PATH", help="The history; default: events.path.")
@click.option(
    "--since",
    callback=since_moment,
    default="",
    help="Not older than 90s, 2h, 7d, or a time such as 2026-01-31T08:00Z.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in Kind]),
    metavar="KIND",
    help="Only this kind; may be given several times.",
)
@click.option(
    "--severity",
    "severities",
    multiple=True,
    type=click.Choice(SEVERITIES),
    help="Only this severity; may be given several times.",
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="How many at most; 0 is all.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the details.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, the newest last, until Ctrl-C.")
def events(
    config: str,
    database: str | None,
    since: str,
    kinds: tuple[str, ...],
    severities: tuple[str, ...],
    limit: int,
    as_json: bool,
    follow: bool,
) -> None:
    """List what happened, the newest first: restarts, crashes, memory, backups, alerts. Times are UTC."""
    path = history_path(config, database)
    wanted = Wanted(kinds, severities, since, limit=limit or -1)
    if follow:
        _follow(path, replace(wanted, limit=BEFORE), as_json)
        return
    rows = ask(path, partial(select, wanted=wanted))
    for line in _lines(rows, as_json):
        click.echo(line)
    if not rows and not as_json:
        click.echo("no such events", err=True)


def _follow(path: Path, wanted: Wanted, as_json: bool) -> None:
    """Opened anew each time: the daemon may put another file there."""
    while True:
        rows = ask(path, partial(select, wanted=wanted))
        for line in _lines(reversed(rows), as_json):
            click.echo(line)
        if rows:
            wanted = replace(wanted, after_id=rows[0].id)
        wanted = replace(wanted, limit=-1)
        time.sleep(LOOK_S)


def _lines(rows: Iterable[Row], as_json: bool) -> Iterator[str]:
    for row in rows:
        event = row.event
        if as_json:
            yield msgspec.json.encode(event).decode()
        else:
            yield _FORMAT.format(event.at, event.severity, event.kind, event.summary)
