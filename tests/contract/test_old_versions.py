"""Which old versions of the daemon a host keeps."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.contract import one_task
from tests.contract.roles import REPOSITORY

ROLE = REPOSITORY / "roles/ia0_daemon"


def removed(folder: Path, running: str, **host: object) -> object:
    """What the role takes away, by the variables of its own task."""
    tasks = yaml.safe_load((ROLE / "tasks/keep_proven.yml").read_text(encoding="utf-8"))
    (told,) = [task["vars"] for task in tasks if task["name"] == "Remove old versions"]
    to = folder / "removed"
    content = {"content": "{{ __ia0_daemon_superfluous | to_json }}", "dest": str(to), "mode": "0600"}
    task = {"ansible.builtin.copy": content, "vars": told}
    one_task.run(
        folder,
        ROLE,
        task,
        __ia0_daemon_release=running,
        __ia0_daemon_host=host,
        ia0_daemon_keep_versions=3,
    )
    return json.loads(to.read_text(encoding="utf-8"))


def test_the_one_before_is_kept_and_then_the_newest(tmp_path: Path) -> None:
    releases = [f"1.{number}.0" for number in range(9, 0, -1)]
    found = removed(tmp_path, "1.5.0", applied="1.5.0", before="1.2.0", releases=releases)
    assert found == ["1.7.0", "1.6.0", "1.4.0", "1.3.0", "1.1.0"]
