"""One case of bad input, as cases/*.yml hold them, and what is wrong with how a play met it.

    read_cases(folder) -> [Case, ...]         faults(case, exit_code, output, before, after) -> [...]

Owns the form of a case and the judgement. Runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml


class Case(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One thing that is wrong, and what must be said of it."""

    name: str
    refused: list[str]
    """Texts that the play's output must hold: the value, the rule, the file to edit."""
    playbook: str = "site.yml"
    arguments: list[str] = []
    """More of the command line, such as [--tags, preflight] where the checks alone must stop it."""
    variables: dict[str, Any] = {}
    more_hosts: dict[str, dict[str, Any]] = {}
    """Hosts of gpu_hosts beside the scenario's, by name, with their variables; they come after it."""
    left_alone: list[str] = []
    """Hosts that no play after the first, the checks, may come to."""
    damage: str = ""
    """Shell commands, run as root on the host before."""
    repair: str = ""
    """The same afterwards, also where the case failed."""


def read_cases(folder: Path) -> Iterator[Case]:
    """Every case of every file; a field that there is not is an error."""
    for path in sorted(folder.glob("*.yml")):
        for given in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
            yield msgspec.convert(given | {"name": f"{path.stem}: {given['name']}"}, Case)


def faults(case: Case, exit_code: int, output: str, before: str, after: str) -> list[str]:
    """What is wrong; empty where the play stopped as it should."""
    found = [] if exit_code else ["the play went through"]
    said = plain(output)
    found += [f"not said: {text!r}" for text in case.refused if plain(text) not in said]
    found += [f"come to: {host}" for host in case.left_alone if host in come_to(output)]
    found += [f"changed: {line}" for line in changes(before, after)]
    return found


def come_to(output: str) -> set[str]:
    """The hosts that any play after the first one tried a task on."""
    _, *plays = re.split(r"^PLAY \[", output.partition("PLAY RECAP")[0], flags=re.M)
    return set(re.findall(r"^\w+: \[([^]\s]+)", "".join(plays[1:]), re.M))


def plain(text: str) -> str:
    """A text without what its way through Ansible's output adds: escapes, and ends of lines."""
    return re.sub(r"\s+", " ", text.replace('\\"', '"').replace("\\n", " ").replace("\\\\", "\\"))


def changes(before: str, after: str) -> list[str]:
    """The lines of two looks at a host that are in one of them alone."""
    old, new = before.splitlines(), after.splitlines()
    return [f"- {line}" for line in old if line not in new] + [f"+ {line}" for line in new if line not in old]
