"""Every role has the same shape, and its specs tell the truth about its defaults."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import pytest

from tests.contract.roles import REPOSITORY, ROLES, defaults, options

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)

# What Ansible's type names are in Python; "raw" may be anything.
TYPES = {"str": str, "int": int, "bool": bool, "dict": dict, "list": list}


def variables(text: str, role: str) -> set[str]:
    return set(re.findall(rf"(?<![A-Za-z0-9_])_*{role}_[a-z0-9_]+", text))


def files(role: Path) -> str:
    kept = [path for path in role.rglob("*") if path.suffix in {".yml", ".j2"} and path.parent.name != "meta"]
    return "\n".join(path.read_text(encoding="utf-8") for path in kept)


@each_role
def test_a_role_has_all_its_parts(role: Path) -> None:
    parts = [
        "README.md",
        "defaults/main.yml",
        "vars/main.yml",
        "meta/argument_specs.yml",
        "tasks/preflight.yml",
    ]
    assert [part for part in parts if not (role / part).is_file()] == []


@each_role
def test_specs_and_defaults_name_the_same_variables(role: Path) -> None:
    required = {name for name, option in options(role).items() if option.get("required")}
    assert set(defaults(role)) == set(options(role)) - required


@each_role
def test_specs_give_the_values_that_the_defaults_have(role: Path) -> None:
    told = {
        name: option.get("default") for name, option in options(role).items() if not option.get("required")
    }
    assert told == defaults(role)


@each_role
def test_a_default_has_the_type_that_the_specs_give_it(role: Path) -> None:
    wrong = [
        name
        for name, value in defaults(role).items()
        if (kind := str(options(role)[name]["type"])) != "raw" and type(value) is not TYPES[kind]
    ]
    assert wrong == []


@each_role
def test_every_option_is_described(role: Path) -> None:
    assert [name for name, option in options(role).items() if not option.get("description")] == []


@each_role
def test_every_default_has_a_comment_above_it(role: Path) -> None:
    """A block of defaults shares the comment above it."""
    blocks = (role / "defaults" / "main.yml").read_text(encoding="utf-8").removeprefix("---\n").split("\n\n")
    assert [block for block in blocks if not block.lstrip().startswith("#")] == []


@each_role
def test_every_variable_carries_the_roles_name(role: Path) -> None:
    foreign = [name for name in options(role) if not name.startswith(f"{role.name}_")]
    assert foreign == []


@each_role
def test_a_role_reads_no_other_roles_variables(role: Path) -> None:
    others = [other.name for other in ROLES if other != role]
    text = files(role)
    assert {name for other in others for name in variables(text, other)} - {"ia0_daemon_"} == set()


@each_role
def test_a_role_uses_every_option_that_it_has(role: Path) -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in role.rglob("*.[yj]*") if "meta" not in path.parts
    )
    uses = {name: len(re.findall(rf"\b{name}\b", text)) for name in options(role)}
    # Once where it is set in defaults/, and once where it is used.
    assert [name for name, number in uses.items() if number < 2] == []


def test_no_roles_name_begins_anothers() -> None:
    names = [role.name for role in ROLES]
    assert [pair for pair in permutations(names, 2) if pair[1].startswith(f"{pair[0]}_")] == []


def test_the_inventory_sets_only_variables_that_there_are() -> None:
    known = {name for role in ROLES for name in options(role)}
    set_here = set(
        re.findall(r"^([a-z0-9_]+):", (REPOSITORY / "inventory/local/group_vars/all.yml").read_text(), re.M)
    )
    assert {name for name in set_here if not name.startswith("local_")} - known == set()
