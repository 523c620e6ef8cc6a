"""Runs one scenario by Molecule and says how it went; its output goes to a log and, if alone, is shown.

run_scenario("upgrade", "test") -> Ran(name, passed, seconds, log)
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.places import HERE, LOGS, PROJECT, SHARED

# Far beyond what a scenario takes: only one that hangs meets it.
LIMIT_S = 1800


@dataclass(frozen=True)
class Ran:
    """What came of one scenario."""

    name: str
    passed: bool
    seconds: float
    log: Path

    def tail(self, lines: int = 120) -> str:
        """The end of what it said up to the step that failed: what follows only cleans up."""
        said = self.log.read_text(errors="replace").splitlines()
        end = next((at for at, line in enumerate(said, 1) if "Executed: Failed" in line), len(said))
        return "\n".join(said[max(0, end - lines) : end])


def scenarios() -> list[str]:
    """Every scenario that there is."""
    return sorted(path.parent.name for path in HERE.glob("*/molecule.yml") if path.parent != SHARED)


def run_scenario(name: str, step: str, *, shown: bool) -> Ran:
    """Run one of Molecule's steps; `test` is all of them, and destroys the hosts however it ends."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    command = ["molecule", "--base-config", str(SHARED / "molecule.yml"), step, "--scenario-name", name]
    began = time.monotonic()
    with log.open("wb") as file, _start(command, colours=shown) as process:
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            file.flush()
            if shown:
                sys.stdout.buffer.write(line)
                sys.stdout.flush()
    return Ran(name, process.returncode == 0 and _is_whole(log), time.monotonic() - began, log)


def _is_whole(log: Path) -> bool:
    """Whether each step of the sequence had its playbook: Molecule only warns."""
    return "Missing playbook" not in log.read_text(errors="replace")


def _start(command: list[str], *, colours: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["timeout", "--kill-after=30", str(LIMIT_S), *command],
        cwd=PROJECT,
        env=_environment(colours=colours),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _environment(*, colours: bool) -> dict[str, str]:
    """This process's environment, with what Molecule must know, and Ansible's programs on the PATH."""
    programs = Path(sys.executable).parent
    return os.environ | {
        "ANSIBLE_FORCE_COLOR": str(int(colours and sys.stdout.isatty())),
        "LC_ALL": "C.UTF-8",
        "MOLECULE_COMMAND_BORDERS": "0",
        "MOLECULE_GLOB": "tests/hosts/*/molecule.yml",
        "MOLECULE_PROJECT_DIRECTORY": str(PROJECT),
        "NO_COLOR": "" if colours and sys.stdout.isatty() else "1",
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PY_COLORS": "0",
    }
