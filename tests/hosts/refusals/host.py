"""The host of the scenario: commands on it over ssh, and a look at what must not change.

Owns where Molecule noted the host, and what "left alone" means: the same processes, the same files.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

# The processes that serve, and everything that decides which processes those are. Not the models' children:
# they come and go by keep_alive.
LOOK = """
systemctl show --property=Id,MainPID,ActiveState,NRestarts ollama.service ia0.service ia0.socket
systemctl list-units --failed --plain --no-legend
readlink /opt/ollama/current /opt/ia0/current
find /etc/ia0 /etc/systemd/system /etc/polkit-1/rules.d -type f -exec sha256sum {} + | sort --key=2
find /usr/share/ollama/.ollama/models/manifests -type f | sort
"""


class Host:
    """One host, by what Molecule noted of it."""

    def __init__(self, ephemeral: Path) -> None:
        (noted,) = yaml.safe_load((ephemeral / "instance_config.yml").read_text())
        self.name, self.address = noted["instance"], noted["address"]
        self._ssh = ["ssh", "-i", noted["identity_file"], "-o", "LogLevel=ERROR"]
        self._ssh += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        self._ssh += [f"{noted['user']}@{noted['address']}", "sudo", "sh", "-es"]

    def run(self, script: str) -> str:
        """Run shell commands as root; gives what they print, raises where one fails."""
        if not script:
            return ""
        done = subprocess.run(
            self._ssh, input=script, text=True, capture_output=True, check=False, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"on {self.name}: {script!r} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def look(self) -> str:
        """What must be the same before and after a play that stops."""
        return self.run(LOOK)


def ephemeral_folder() -> Path:
    """Where Molecule keeps its things of this scenario."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
