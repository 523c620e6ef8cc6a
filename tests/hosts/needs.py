"""What this machine must have before a host can boot; says which packages bring it."""

from __future__ import annotations

import os
import shutil

# Program -> Debian package.
PROGRAMS = {
    "podman": "podman",
    "mmdebstrap": "mmdebstrap",
    "iptables": "iptables",
    "zstd": "zstd",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
# Podman's own programs, which are not on the PATH: its networks, and the names on them.
HELPERS = {"netavark": "netavark", "aardvark-dns": "aardvark-dns"}
HELPER_FOLDERS = ("/usr/lib/podman", "/usr/libexec/podman")


class Missing(Exception):
    """The machine cannot boot hosts as it is."""


def check() -> None:
    """Raise Missing, with the command that helps, where something is not there."""
    if os.geteuid() != 0:
        raise Missing("hosts that boot systemd need root: run `sudo make hosts`")
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *HELPER_FOLDERS])
    wanted = PROGRAMS | HELPERS
    packages = sorted({package for name, package in wanted.items() if not shutil.which(name, path=path)})
    if packages:
        raise Missing(
            f"the test hosts need {', '.join(packages)}; on Debian: "
            f"apt-get install --no-install-recommends {' '.join(packages)}"
        )
