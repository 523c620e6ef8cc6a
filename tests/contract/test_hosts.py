"""CI expects every scenario of the test hosts, and no other."""

from __future__ import annotations

import re

from tests.contract.roles import REPOSITORY
from tests.hosts.run import scenarios


def test_ci_expects_every_scenario() -> None:
    listed = re.search(r"^scenarios=\((.*)\)$", (REPOSITORY / ".ci/run").read_text(), re.M)
    assert listed is not None
    assert listed[1].split() == scenarios()


def test_every_scenario_says_what_it_proves() -> None:
    texts = {name: (REPOSITORY / f"tests/hosts/{name}/molecule.yml").read_text() for name in scenarios()}
    assert [name for name, text in texts.items() if not text.startswith("# ")] == []
