"""Has Ansible run one task with a role's variables on this machine: what they come to, without a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.contract.roles import REPOSITORY


def run(folder: Path, role: Path, task: dict[str, object], **variables: object) -> None:
    """Run it; `folder` takes the play, `variables` stand above the role's own."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [f"{role}/defaults/main.yml", f"{role}/vars/main.yml"],
        "tasks": [task],
    }
    path = folder / "play.yml"
    path.write_text(json.dumps([play]), encoding="utf-8")  # JSON is YAML
    told = json.dumps(variables | {"ansible_python_interpreter": sys.executable})
    ansible = Path(sys.executable).with_name("ansible-playbook")
    subprocess.run(
        [str(ansible), "-i", "localhost,", "-e", told, str(path)],
        cwd=REPOSITORY,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        check=True,
        capture_output=True,
    )
