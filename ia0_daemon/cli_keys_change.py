"""``ia0 keys create`` and ``ia0 keys revoke``: change the file ``auth.keys_path`` and tell the daemon.

Owns those commands' words. Never writes a key in the clear anywhere: it is printed once.

    lock the file -> its tables, changed -> the daemon's own check of all settings -> write -> reload
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ia0_daemon.cli_control import socket_option
from ia0_daemon.cli_failure import Failure, config_option, source
from ia0_daemon.control_client import ControlError, NoDaemon, call
from ia0_daemon.keys import new_key
from ia0_daemon.keys_store import CannotStore, KeysStore
from ia0_daemon.settings import keys_file
from ia0_daemon.settings.catalogue import hints
from ia0_daemon.settings.faults import ConfigError, Fault, shown
from ia0_daemon.settings.gateway_rules import expiry
from ia0_daemon.settings.leaves import allowed, from_toml
from ia0_daemon.settings.load import Loaded, Source
from ia0_daemon.settings.schema import ApiKey

# A reload asks the engine nothing; in seconds.
_RELOAD_S = 10.0
_UNITS = {"d": "days", "h": "hours"}
_EXPIRES_RULE = "is not a date (2027-01-31), a time with its zone (2027-01-31T00:00:00Z) or a span (90d, 12h)"

Tables = list[object]


def checked_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    """Refuse a name that the configuration would refuse."""
    hint = hints(ApiKey)["name"]
    try:
        from_toml(hint, name)
    except ValueError:
        raise click.BadParameter(f"{name!r} is not {allowed(hint)}") from None
    return name


def _checked_expires(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not text:
        return ""
    now = datetime.now(UTC)
    try:
        end = ends_at(text, now)
    except ValueError:
        raise click.BadParameter(f"{text!r} {_EXPIRES_RULE}") from None
    if end <= now:
        raise click.BadParameter(f"{text!r} is over already: {_written(end)}")
    return _written(end)


def ends_at(text: str, now: datetime) -> datetime:
    """When a key ends by such a text; a date means its first moment in UTC. ValueError where it is none."""
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit and number.isascii() and number.isdigit():
        try:
            return now + timedelta(**{unit: int(number)})
        except OverflowError:
            raise ValueError(text) from None
    end = expiry(f"{text}T00:00:00Z" if len(text) == len("2027-01-31") else text)
    if end is None:
        raise ValueError(text)
    return end.astimezone(UTC)


def _written(end: datetime) -> str:
    return end.isoformat(timespec="seconds").replace("+00:00", "Z")


@click.command("create")
@click.argument("name", callback=checked_name)
@click.option(
    "--expires",
    default="",
    metavar="WHEN",
    callback=_checked_expires,
    help="When it ends: 2027-01-31 (0:00 UTC), 2027-01-31T12:00:00Z, 90d or 12h; default: never.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="A model that it may use, by its public name or an alias; again for more; default: all.",
)
@click.option("--requests-per-minute", type=int, metavar="N", help="Most requests in any minute.")
@click.option(
    "--tokens-per-minute", type=int, metavar="N", help="Most tokens of prompts and answers in any minute."
)
@click.option("--tokens-per-day", type=int, metavar="N", help="Most tokens in a day (UTC).")
@click.option("--max-concurrent", type=int, metavar="N", help="Most requests for text at once.")
@click.option("--admin", is_flag=True, help="It may change the engine's models.")
@click.option("--system", metavar="TEXT", help="What every model is told before its prompts.")
@config_option
@socket_option
def create(name: str, config: str, socket_path: str | None, **options: Any) -> None:
    """Make a key for NAME, store its hash in auth.keys_path, print it once, and tell the running daemon."""
    plain, sha256 = new_key()
    given = {option: value for option, value in options.items() if value not in (None, "", (), False)}
    if "models" in given:
        given["models"] = list(given["models"])
    entry = {"name": name, "sha256": sha256, **given}
    loaded, path = _change(source(config), lambda tables: [*tables, entry], new=True)
    click.echo(f"The key of {name}. It is shown this once; {path} keeps its hash:\n\n    {plain}\n")
    if len(loaded.settings.auth.keys) == 1:
        click.echo("It is the first: from now on the API asks for a key.")
    _tell_daemon(config, socket_path, f"{name} is stored, but not in force")


@click.command("revoke")
@click.argument("name")
@click.option("--leave-open", is_flag=True, help="Also where it is the last: the API then asks for no key.")
@config_option
@socket_option
def revoke(name: str, leave_open: bool, config: str, socket_path: str | None) -> None:
    """End the key of NAME: take it out of auth.keys_path and tell the running daemon."""
    origin = source(config)

    def without(tables: Tables) -> Tables:
        kept = [table for table in tables if not _is_of(table, name)]
        if len(kept) == len(tables):
            raise Failure(_not_there(name, origin))
        return kept

    def check(loaded: Loaded) -> None:
        if not loaded.settings.auth.keys and not leave_open:
            raise Failure(
                [
                    f"{name} is the last key: without one the API is open to every process of this host. "
                    "Make another first (`ia0 keys create NAME`), or say --leave-open; nothing was changed"
                ]
            )

    _, path = _change(origin, without, check)
    click.echo(f"The key of {name} is gone from {path}.")
    _tell_daemon(config, socket_path, f"the running daemon still takes the key of {name}")


def _is_of(table: object, name: str) -> bool:
    return isinstance(table, Mapping) and table.get("name") == name


def _change(
    origin: Source,
    edit: Callable[[Tables], Tables],
    check: Callable[[Loaded], None] = lambda _: None,
    *,
    new: bool = False,
) -> tuple[Loaded, str]:
    """Edit the file's tables; where the daemon would refuse what comes of it: Failure, nothing written."""
    tables: Tables = []
    try:
        path = _usable(origin.keys_path())
        with KeysStore(path) as store:
            tables = edit(keys_file.read(path))
            loaded = origin.trial(tables)
            check(loaded)
            store.write([key for key in loaded.settings.auth.keys if loaded.keys_from[key.name] == path])
    except ConfigError as error:
        newest = f"{keys_file.KEYS}[{len(tables) - 1}]." if new and error.faults[0].key else ""
        raise Failure([*_told(error.faults, newest), "nothing was changed"]) from None
    except CannotStore as error:
        raise Failure([str(error)]) from None
    return loaded, path


def _usable(told: tuple[str, str]) -> str:
    path, where = told
    if not path or not Path(path).is_absolute() or "\0" in path:
        rule = (
            "must name a file for created keys by an absolute path" if path else "is empty: no key is created"
        )
        raise Failure(
            [f"auth.keys_path: {path!r} {rule} ({where}); `ia0 keys new NAME` prints lines for ia0.toml"]
        )
    return path


def _told(faults: Sequence[Fault], newest: str) -> list[str]:
    """The faults; those of the key that was to be created by the option that gave them."""
    return [
        _by_option(fault, fault.key.removeprefix(newest))
        if newest and fault.key.startswith(newest)
        else str(fault)
        for fault in faults
    ]


def _by_option(fault: Fault, field: str) -> str:
    if field == "name":
        return "NAME: there is a key of that name already; take another one, or revoke that first"
    option = "--model" if field.partition("[")[0] == "models" else f"--{field.replace('_', '-')}"
    value = "" if fault.value is None else f"{shown(fault.value)} "
    return f"{option}: {value}{fault.rule}"


def _not_there(name: str, origin: Source) -> list[str]:
    """Why a key cannot be revoked: it stands elsewhere, or nowhere."""
    loaded = origin.read()
    where = loaded.keys_from.get(name)
    if where is not None:
        return [f"{name} stands in {where}: take it out there and run `ia0 reload`; nothing was changed"]
    names = ", ".join(loaded.keys_from) or "there is none"
    return [f"there is no key of the name {name!r}; the keys: {names}"]


def _tell_daemon(config: str, socket_path: str | None, otherwise: str) -> None:
    """Let the running daemon read its keys again, and say whether it did."""
    try:
        path = socket_path or source(config).socket_path()[0]
        call(path, "reload", _RELOAD_S)
    except NoDaemon as error:
        click.echo(f"No daemon was told ({error}); it reads its keys when it starts.")
    except ConfigError as error:
        raise Failure([f"{otherwise}: its socket is not known", *error.lines()]) from None
    except ControlError as error:
        why = [f"{otherwise}: {error}", *(f"  {detail}" for detail in error.details)]
        raise Failure([*why, "`ia0 reload` tries again"]) from None
    else:
        click.echo("The running daemon has read it.")
