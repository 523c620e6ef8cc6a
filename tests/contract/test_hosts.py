"""CI names every scenario of the test hosts, and no other; every role's example is run by one of them."""

from __future__ import annotations

import re

import pytest

from tests.contract.roles import REPOSITORY
from tests.hosts.example import example_of
from tests.hosts.run import scenarios

# Roles of the try-out on one machine: tests/integration/provisioning runs them, by `make up`.
LOCAL_ROLES = {"embedded_engine", "existing_ollama", "smoke_test"}


def roles() -> list[str]:
    return sorted(path.name for path in (REPOSITORY / "roles").iterdir() if (path / "tasks").is_dir())


def test_ci_runs_every_scenario() -> None:
    (listed,) = re.findall(r"^scenarios=\((.*)\)$", (REPOSITORY / ".ci/run").read_text(), re.M)
    assert sorted(listed.split()) == scenarios()


def test_every_scenario_says_what_it_proves() -> None:
    texts = {name: (REPOSITORY / f"tests/hosts/{name}/molecule.yml").read_text() for name in scenarios()}
    assert [name for name, text in texts.items() if not text.startswith("# ")] == []


def test_every_example_of_a_role_for_hosts_is_run_by_a_scenario() -> None:
    playbooks = "".join(path.read_text() for path in (REPOSITORY / "tests/hosts").rglob("*.yml"))
    run = set(re.findall(r"example_role: (\w+)", playbooks))
    assert set(roles()) - LOCAL_ROLES - run == set()


@pytest.mark.parametrize("role", sorted(set(roles()) - LOCAL_ROLES))
def test_an_example_is_for_the_hosts(role: str) -> None:
    assert "hosts: gpu_hosts" in example_of(role)
