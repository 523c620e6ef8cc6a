"""``ia0 keys``: its table of contents, and the commands that change nothing: new, hash, list.

Owns those commands' words. Never stores a key: the configuration holds hashes alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from ia0_daemon.cli_failure import Failure, config_option, source
from ia0_daemon.cli_keys_change import checked_name, create, revoke
from ia0_daemon.keys import hash_key, is_expired, new_key
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.load import Loaded
from ia0_daemon.settings.schema import ApiKey

# Unsalted SHA-256 is right for random keys only; 32 characters of hex are 128 bits.
_SHORTEST = 32
_HEAD = ("NAME", "FROM", "ENDS", "MODELS", "LIMITS", "ADMIN")
# A key's limits and what they are called in a line.
LIMITS = {
    "requests_per_minute": "requests/min",
    "tokens_per_minute": "tokens/min",
    "tokens_per_day": "tokens/day",
    "max_concurrent": "at once",
}


@click.group("keys")
def keys_group() -> None:
    """Make, list and end API keys."""


@keys_group.command("new")
@click.argument("name", callback=checked_name)
def new(name: str) -> None:
    """Make a key for NAME: printed once, with the lines for ia0.toml. Stores nothing: `create` does."""
    plain, sha256 = new_key()
    click.echo(f"The key of {name}. It is shown this once and kept nowhere:\n\n    {plain}\n")
    click.echo("Add to ia0.toml, then run `ia0 reload`:\n")
    click.echo(f'[[auth.keys]]\nname = "{name}"\nsha256 = "{sha256}"')


@keys_group.command("hash")
def print_hash() -> None:
    """Read a key from standard input and print its SHA-256, as auth.keys holds it."""
    if sys.stdin.isatty():
        plain = click.prompt("Key", hide_input=True, err=True)
    else:
        plain = sys.stdin.readline().rstrip("\r\n")
    if len(plain) < _SHORTEST:
        rule = f"has {len(plain)} characters, fewer than {_SHORTEST}: it can be guessed"
        raise Failure([f"the key {rule}; `ia0 keys new NAME` makes one"])
    click.echo(hash_key(plain))


@keys_group.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the keys as JSON.")
def show(config: str, as_json: bool) -> None:
    """List the keys with where they stand, when they end and what they may do. Never their hashes."""
    try:
        loaded = source(config).read()
    except ConfigError as error:
        raise Failure(error.lines()) from None
    now = datetime.now(UTC)
    if as_json:
        keys = [_fields(key, loaded, now) for key in loaded.settings.auth.keys]
        click.echo(json.dumps(keys, indent=2, ensure_ascii=False))
        return
    for line in _table(loaded, now):
        click.echo(line)


def _fields(key: ApiKey, loaded: Loaded, now: datetime) -> dict[str, object]:
    limits = {name: getattr(key, name) for name in LIMITS}
    return {
        "name": key.name,
        "from": loaded.keys_from[key.name],
        "expires": key.expires or None,
        "expired": is_expired(key, now),
        "models": list(key.models),
        **limits,
        "admin": key.admin,
        "system": bool(key.system),
    }


def _table(loaded: Loaded, now: datetime) -> Iterator[str]:
    if not loaded.settings.auth.keys:
        yield "No key: the API is open to every process of this host. `ia0 keys create NAME` makes one."
        return
    rows = [_HEAD, *(_row(key, loaded, now) for key in loaded.settings.auth.keys)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _row(key: ApiKey, loaded: Loaded, now: datetime) -> tuple[str, ...]:
    limits = [f"{getattr(key, name)} {unit}" for name, unit in LIMITS.items() if getattr(key, name)]
    return (
        key.name,
        loaded.keys_from[key.name],
        (key.expires or "never") + (" (expired)" if is_expired(key, now) else ""),
        ", ".join(key.models) or "all",
        ", ".join(limits) or "none",
        "yes" if key.admin else "no",
    )


for command in (create, revoke):
    keys_group.add_command(command)
