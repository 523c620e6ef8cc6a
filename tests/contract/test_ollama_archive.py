"""Which files of a release the role ollama asks for, by the names that Ollama gives them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract import one_task
from tests.contract.roles import REPOSITORY


def archives(folder: Path, machine: str, *addons: str) -> object:
    to = folder / "archives"
    task: dict[str, object] = {
        "ansible.builtin.copy": {
            "content": "{{ __ollama_archives | to_json }}",
            "dest": str(to),
            "mode": "0600",
        }
    }
    facts = {"architecture": machine}
    one_task.run(folder, REPOSITORY / "roles/ollama", task, ansible_facts=facts, ollama_addons=addons)
    return json.loads(to.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("machine", "addon", "name"), [("x86_64", "rocm", "amd64"), ("aarch64", "jetpack6", "arm64")]
)
def test_the_archives_are_those_of_the_hosts_machine(
    tmp_path: Path, machine: str, addon: str, name: str
) -> None:
    expected = [f"ollama-linux-{name}.tar.zst", f"ollama-linux-{name}-{addon}.tar.zst"]
    assert archives(tmp_path, machine, addon) == expected
