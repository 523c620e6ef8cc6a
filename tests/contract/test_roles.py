"""Every role has the same shape, and its specs tell the truth about its defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.roles import REPOSITORY, ROLES, defaults, options

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)

EXAMPLE = REPOSITORY / "inventory/example/group_vars/gpu_hosts/main.yml"

# What Ansible's type names are in Python; "raw" may be anything.
TYPES = {"str": str, "int": int, "bool": bool, "dict": dict, "list": list}


CONDITIONS = {"when", "that", "until", "changed_when", "failed_when"}
# A text with a blank in it, within an expression.
MESSAGE = re.compile(r"'[^'\n]* [^'\n]*'")
JINJA = re.compile(r"\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}")


def variables(text: str, role: str) -> set[str]:
    return set(re.findall(rf"(?<![A-Za-z0-9_])_*{role}_[a-z0-9_]+", text))


def expressions(role: Path) -> str:
    """What Ansible evaluates: a variable's name in a message is advice, and a key of TOML is no variable."""
    found: list[str] = []
    for path in role.rglob("*"):
        if path.suffix == ".j2":
            found += JINJA.findall(path.read_text(encoding="utf-8"))
        elif path.suffix == ".yml" and path.parent.name != "meta":
            found += evaluated(yaml.safe_load(path.read_text(encoding="utf-8")))
    return re.sub(MESSAGE, "", "\n".join(found))


def evaluated(node: object, key: str = "") -> list[str]:
    """The Jinja of one YAML document: conditions as a whole, else what stands between braces."""
    if isinstance(node, dict):
        return [text for name, child in node.items() for text in evaluated(child, str(name))]
    if isinstance(node, list):
        return [text for child in node for text in evaluated(child, key)]
    if not isinstance(node, str):
        return []
    return [node] if key in CONDITIONS else JINJA.findall(node)


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
    text = expressions(role)
    assert {name for other in others for name in variables(text, other)} == set()


@each_role
def test_a_role_uses_every_option_that_it_has(role: Path) -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in role.rglob("*.[yj]*") if "meta" not in path.parts
    )
    uses = {name: len(re.findall(rf"\b{name}\b", text)) for name in options(role)}
    # Once where it is set in defaults/, and once where it is used.
    assert [name for name, number in uses.items() if number < 2] == []


PHASES = {"preflight", "install", "configure", "run"}


def phases(tasks: list[dict[str, Any]]) -> Iterator[set[str]]:
    """The phases of each task, those within blocks too."""
    for task in tasks:
        inner = [each for part in ("block", "rescue", "always") for each in task.get(part, [])]
        yield from phases(inner) if inner else iter([set(task.get("tags", [])) & PHASES])


@each_role
def test_each_task_belongs_to_a_phase_that_the_readme_names(role: Path) -> None:
    found = list(phases(yaml.safe_load((role / "tasks/main.yml").read_text(encoding="utf-8"))))
    assert all(found)
    told = re.search(r"^Phases by tag: .*", (role / "README.md").read_text(encoding="utf-8"), re.M)
    named = set(re.findall(r"`(\w+)`", told[0])) if told else {"preflight"}
    assert set().union(*found) == named & PHASES


def test_no_roles_name_begins_anothers() -> None:
    names = [role.name for role in ROLES]
    assert [pair for pair in permutations(names, 2) if pair[1].startswith(f"{pair[0]}_")] == []


APT = "ansible.builtin.apt"


def installs(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What apt is told by each task, those within blocks too."""
    for task in tasks:
        yield from installs([each for part in ("block", "rescue", "always") for each in task.get(part, [])])
        if "name" in task.get(APT, {}):
            yield task[APT]


def test_each_package_is_installed_from_lists_of_now() -> None:
    """An image with emptied lists looks as if it had been updated when it was made."""
    files = (REPOSITORY / "roles").glob("*/tasks/*.yml")
    found = [told for path in files for told in installs(yaml.safe_load(path.read_text(encoding="utf-8")))]
    assert found
    assert [
        told["name"] for told in found if not told.get("update_cache") or "cache_valid_time" in told
    ] == []


def told_in(path: Path, comment: str = "") -> set[str]:
    """The names that a file of variables sets."""
    return set(re.findall(rf"^{comment}([a-z0-9_]+):", path.read_text(encoding="utf-8"), re.M))


def known() -> set[str]:
    return {name for role in ROLES for name in options(role)}


def test_the_inventory_of_this_machine_sets_only_variables_that_there_are() -> None:
    set_here = told_in(REPOSITORY / "inventory/local/group_vars/all.yml")
    assert {name for name in set_here if not name.startswith("local_")} - known() == set()


def test_the_example_of_a_fleet_sets_only_variables_that_there_are() -> None:
    """Also those that are commented out, for the reader to take."""
    told = told_in(EXAMPLE, "(?:# )?")
    assert {name for name in told if not name.startswith(("fleet_", "vault_"))} - known() == set()
    assert {name for name in told if name.startswith("fleet_")} - fleet_variables() == set()


def test_what_is_commented_out_in_the_example_can_be_taken() -> None:
    lines = re.sub(r"^# (?=[a-z0-9_]+:)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.M)
    assert isinstance(yaml.safe_load(lines), dict)


def test_what_is_handed_on_is_a_variable_of_a_role() -> None:
    told = told_in(REPOSITORY / "playbooks/vars/handed_on.yml")
    assert {name for name in told if not name.startswith("__")} - known() == set()


def test_every_variable_of_the_playbooks_is_in_the_page_of_operations() -> None:
    page = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    assert {name for name in fleet_variables() if name not in page} == set()


def fleet_variables() -> set[str]:
    """What the playbooks themselves may be told."""
    tasks = yaml.safe_load(
        (REPOSITORY / "playbooks/tasks/check_fleet_values.yml").read_text(encoding="utf-8")
    )
    return set(tasks[0]["vars"]["__fleet_known"])
