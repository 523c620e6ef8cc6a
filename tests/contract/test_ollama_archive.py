"""Which files of a release the role ollama asks for, by the names that Ollama gives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.roles import REPOSITORY

ROLE = REPOSITORY / "roles/ollama"
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: ["{role}/defaults/main.yml", "{role}/vars/main.yml"]
  tasks:
    - ansible.builtin.copy: {{content: "{{{{ __ollama_archives | to_json }}}}", dest: "{to}", mode: "0600"}}
"""


def archives(folder: Path, machine: str, *addons: str) -> list[str]:
    (folder / "play.yml").write_text(PLAY.format(role=ROLE, to=folder / "archives"), encoding="utf-8")
    told = json.dumps(
        {
            "ansible_facts": {"architecture": machine},
            "ollama_addons": addons,
            "ansible_python_interpreter": sys.executable,
        }
    )
    ansible = Path(sys.executable).with_name("ansible-playbook")
    command = [str(ansible), "-i", "localhost,", "-e", told, str(folder / "play.yml")]
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    named: list[str] = json.loads((folder / "archives").read_text(encoding="utf-8"))
    return named


@pytest.mark.parametrize(
    ("machine", "addon", "name"), [("x86_64", "rocm", "amd64"), ("aarch64", "jetpack6", "arm64")]
)
def test_the_archives_are_those_of_the_hosts_machine(
    tmp_path: Path, machine: str, addon: str, name: str
) -> None:
    expected = [f"ollama-linux-{name}.tar.zst", f"ollama-linux-{name}-{addon}.tar.zst"]
    assert archives(tmp_path, machine, addon) == expected
