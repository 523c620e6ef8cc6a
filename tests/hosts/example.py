"""Runs the example play of a role's README, as it stands there, against the hosts of a scenario.

    python -m tests.hosts.example ollama [VARIABLES.json]

VARIABLES are what this network has otherwise than the README's reader: stronger than the example's own.
Called by shared/tasks/run_example.yml, which hands on Molecule's environment. The output is Ansible's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.hosts.places import PROJECT, SHARED


def example_of(role: str) -> str:
    """The first block of YAML in the role's README."""
    text = (PROJECT / "roles" / role / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```ya?ml\n(.*?)^```$", text, re.M | re.S)
    if block is None:
        raise SystemExit(f"roles/{role}/README.md has no example play: no block that begins with ```yaml")
    return block[1]


def main(role: str, variables: str = "") -> int:
    """Run it; Ansible's exit code."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    command = [str(Path(sys.executable).with_name("ansible-playbook"))]
    for inventory in (folder / "inventory", SHARED / "inventory", folder / "example"):
        command += ["--inventory", str(inventory)] if inventory.exists() else []
    command += ["--extra-vars", f"@{variables}"] if variables else []
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as playbook:
        playbook.write(example_of(role))
        playbook.flush()
        environment = os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
        return subprocess.run([*command, playbook.name], cwd=PROJECT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
