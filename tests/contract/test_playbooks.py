"""Every playbook parses with the inventory that it is for, and the operator's page tells of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.contract.roles import REPOSITORY

PLAYBOOKS = sorted((REPOSITORY / "playbooks").glob("*.yml"))


def inventory(playbook: Path) -> str:
    """`make up` and `make down` know this machine alone; everything else is for a fleet."""
    return "inventory/local" if playbook.name.startswith("local") else "inventory/example"


def ansible(playbook: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory(playbook), *options, playbook],
        cwd=REPOSITORY,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_a_playbook_parses(playbook: Path) -> None:
    done = ansible(playbook, "--syntax-check")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("tag", ["models", "packages"])
def test_one_part_of_what_crosses_the_air_gap_is_checked_as_the_whole_is(tag: str) -> None:
    exported = ansible(REPOSITORY / "playbooks/models-export.yml", "--list-tasks", f"--tags={tag}").stdout
    imported = ansible(REPOSITORY / "playbooks/models-import.yml", "--list-tasks", f"--tags={tag}").stdout
    assert "Check the folder that crosses the gap" in exported
    assert "Check every file of the list" in imported


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_a_playbook_has_its_place_in_the_page_of_operations(playbook: Path) -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"`playbooks/{playbook.name}`" in page


@pytest.mark.parametrize("name", ["site", "upgrade", "rollback"])
def test_hosts_are_changed_one_by_one_and_none_after_one_that_failed(name: str) -> None:
    plays = yaml.safe_load((REPOSITORY / f"playbooks/{name}.yml").read_text(encoding="utf-8"))
    changing = [play for play in plays if "hosts" in play]
    assert changing
    for play in changing:
        assert (play["serial"], play["any_errors_fatal"]) == ("{{ fleet_serial | default(1) }}", True)


def test_there_are_playbooks() -> None:
    assert {path.name for path in PLAYBOOKS} >= {"local.yml", "local-down.yml", "site.yml"}
