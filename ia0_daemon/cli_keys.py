"""``ia0 keys``: make and hash API keys.

Owns those commands' words. Never stores a key: the configuration holds hashes alone.
"""

from __future__ import annotations

import sys

import click

from ia0_daemon.cli_failure import Failure
from ia0_daemon.keys import hash_key, new_key
from ia0_daemon.settings.catalogue import hints
from ia0_daemon.settings.leaves import allowed, from_toml
from ia0_daemon.settings.schema import ApiKey

# Unsalted SHA-256 is right for random keys only; 32 characters of hex are 128 bits.
_SHORTEST = 32


@click.group("keys")
def keys_group() -> None:
    """Make and hash API keys."""


def _checked_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    hint = hints(ApiKey)["name"]
    try:
        from_toml(hint, name)
    except ValueError:
        raise click.BadParameter(f"{name!r} is not {allowed(hint)}") from None
    return name


@keys_group.command("new")
@click.argument("name", callback=_checked_name)
def new(name: str) -> None:
    """Make a key for NAME: printed once, with the lines that let the daemon know it."""
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
