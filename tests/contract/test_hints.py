"""A command of `ia0` that a document or an error text prints works as it is printed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import click
import pytest

from ia0_daemon.cli import main
from tests.contract.roles import REPOSITORY

PLACES = [
    *[REPOSITORY / name for name in ("README.md", ".env.example")],
    *REPOSITORY.glob("docs/*.md"),
    *REPOSITORY.glob("ia0_daemon/**/*.py"),
    *[path for folder in ("roles", "inventory") for path in REPOSITORY.glob(f"{folder}/**/*.[my][dm]*")],
]
HINT = re.compile(r"`ia0 ([^`|\n]+)`")


def hints() -> list[str]:
    return sorted({hint for place in PLACES for hint in HINT.findall(place.read_text(encoding="utf-8"))})


def fault(hint: str) -> str:
    """What the command line would say of it; the name of a command alone is no hint."""
    command: click.Command = main
    words = shlex.split(hint)
    while words and isinstance(command, click.Group):
        found = command.commands.get(words.pop(0))
        if found is None:
            return "there is no such command"
        command = found
    if not words:
        return ""
    try:
        given, rest, _ = command.make_parser(click.Context(command)).parse_args(words)
    except click.UsageError as error:
        return error.message
    missing = [each.name for each in command.params if each.required and not _is_given(given, each)]
    return f"missing: {missing}" if missing else f"too many: {rest}" if rest else ""


def _is_given(given: Mapping[str, object], parameter: click.Parameter) -> bool:
    return isinstance(given.get(parameter.name or ""), str | tuple | list)  # else one of click's own marks


def test_every_hint_is_a_command_that_works_as_printed() -> None:
    found = hints()
    assert len(found) > 40
    assert {hint: fault(hint) for hint in found if fault(hint)} == {}


@pytest.mark.parametrize(
    "hint", ["keys create --admin", "keys make NAME", "status --loud", "keys revoke a b"]
)
def test_a_hint_that_does_not_work_is_found(hint: str) -> None:
    assert fault(hint)
