"""Runs the cases of bad input against the scenario's host; a line each, 1 where one was not met as it should.

    look;  for each case:  damage -> ansible-playbook -> repair -> look -> judge;  at the end a real answer

Every look is held against the first one: no case leaves anything behind. Called by verify.yml, which hands
on Molecule's environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.hosts.places import HERE, PROJECT, SHARED
from tests.hosts.refusals.case import Case, faults, read_cases
from tests.hosts.refusals.host import Host, ephemeral_folder

# How much of a play's output is told where a case failed.
TOLD_CHARACTERS = 3000
SIDE_BY_SIDE = 2


def main() -> int:
    """Run them; gives the exit code."""
    host = Host(ephemeral_folder())
    wanted = os.environ.get("CASES", "")
    cases = [case for case in read_cases(HERE / "refusals/cases") if wanted in case.name]
    # What the checks alone must stop touches nothing: two of those at a time, before any host is damaged.
    gentle = [
        case for case in cases if "preflight" in case.arguments and not case.damage and not case.more_hosts
    ]
    before = host.look()
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        passed = list(pool.map(lambda case: _try(case, host, before), gentle))
    passed += [_try(case, host, before) for case in cases if case not in gentle]
    if not answers(host):
        passed.append(False)
        _say("FAILED after all cases: the host does not answer")
    return 0 if all(passed) else 1


def _try(case: Case, host: Host, before: str) -> bool:
    began = time.monotonic()
    try:
        host.run(case.damage)
        exit_code, output = play(case)
    finally:
        host.run(case.repair)
    found = faults(case, exit_code, output, before, host.look())
    lines = [f"{'FAILED' if found else 'passed'} {case.name} ({time.monotonic() - began:.0f} s)"]
    lines += [f"    {fault}" for fault in found]
    lines += [output[-TOLD_CHARACTERS:]] if found else []
    _say("\n".join(lines))
    return not found


def play(case: Case) -> tuple[int, str]:
    """Run the case's playbook as an operator would; its exit code and what it said."""
    folder = ephemeral_folder()
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *case.arguments]
    for inventory in (folder / "inventory", SHARED / "inventory", folder / "example"):
        command += ["--inventory", str(inventory)]
    with (
        tempfile.NamedTemporaryFile("w", suffix=".json") as file,
        _added(case.more_hosts, folder / "inventory"),
    ):
        json.dump(case.variables, file)
        file.flush()
        command += ["--extra-vars", f"@{file.name}", f"playbooks/{case.playbook}"]
        # JSON keeps a message on one line; YAML folds it.
        told = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
        environment = os.environ | told | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, text=True, capture_output=True, check=False, timeout=600
        )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def _added(hosts: dict[str, dict[str, Any]], inventory: Path) -> Iterator[None]:
    """Have these hosts in the inventory, in its own folder: beside that lie the fleet's secrets."""
    if not hosts:
        yield
        return
    path = inventory / "more_hosts.yml"
    path.write_text(yaml.safe_dump({"gpu_hosts": {"hosts": hosts}}))
    try:
        yield
    finally:
        path.unlink()


def answers(host: Host) -> bool:
    """Ask the service over the network for a few tokens."""
    key = (ephemeral_folder() / "inventory.secrets/proof_key").read_text()
    answer = requests.post(
        f"http://{host.address}:8080/llm/generate",
        json={"prompt": "Hello", "params": {"max_tokens": 5}},
        headers={"Authorization": f"Bearer {key}"},
        timeout=120,
    )
    return answer.status_code == 200 and bool(answer.json()["text"])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
