"""How the ``ia0`` command opens the history, and says why it cannot.

Owns the path, the words for failures and the spelling of ``--since``. Never writes.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click

from ia0_daemon.cli_failure import Failure, source
from ia0_daemon.clock import rfc3339
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.units import go_duration
from ia0_daemon.supervisor.event_database import Refused, open_for_reading

T = TypeVar("T")

_DAYS = re.compile(r"([0-9]{1,5})d")


def history_path(config: str, path: str | None) -> Path:
    """The database: the named one, else that of the configuration."""
    if path is not None:
        return Path(path)
    try:
        return Path(source(config).load().events.path)
    except ConfigError as error:
        raise Failure([*error.lines(), "so the history is not known; name it with --database PATH"]) from None


def ask(path: Path, question: Callable[[sqlite3.Connection], T]) -> T:
    """What the history answers; the daemon may be writing it meanwhile, or not run at all."""
    try:
        with closing(open_for_reading(path)) as connection:
            return question(connection)
    except FileNotFoundError:
        raise Failure([f"there is no history at {path}: has the daemon run with this events.path?"]) from None
    except (Refused, OSError) as error:
        raise Failure([str(error)]) from None
    except sqlite3.Error as error:
        hint = (
            "this user may not read it, or it is damaged; the daemon moves a damaged one aside when it starts"
        )
        raise Failure([f"{path} cannot be read: {error}", f"  {hint}"]) from None


def since(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """A moment as the history writes it, of ``2h``, ``7d``, or a date and time; empty stays empty."""
    try:
        return rfc3339(_moment(text.strip())) if text.strip() else ""
    except (ValueError, OverflowError):
        rule = "is no duration such as 90s, 2h, 7d, and no time such as 2026-01-31T08:00Z"
        raise click.BadParameter(f"{text!r} {rule}") from None


def _moment(text: str) -> datetime:
    days = _DAYS.fullmatch(text)
    if days is not None:
        return datetime.now(UTC) - timedelta(days=int(days[1]))
    try:
        return datetime.now(UTC) - timedelta(seconds=abs(go_duration(text)))
    except ValueError:
        moment = datetime.fromisoformat(text)
    # A time without a zone is UTC, as everything that IA-0 writes.
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
