"""Collects Debian packages with everything that they depend on, as a small archive that apt installs from.

    python3 collect_debian_packages.py FILE.tar PACKAGE...

Runs on a host with a way out, as any user. The archive holds the packages and an index (`Packages`), as apt
itself knows them. apt solves for a host that has nothing, so that what any Debian of this release lacks is
among them; on the other side apt takes what is missing there and nothing else.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# For a host on which nothing is installed, without recommendations.
NOTHING_INSTALLED = ["-o", "Dir::State::status=/dev/null", "--no-install-recommends"]


def solve(names: list[str]) -> list[str]:
    """The packages that apt would install, each NAME=VERSION."""
    planned = run("apt-get", *NOTHING_INSTALLED, "--simulate", "install", *names)
    return [f"{name}={version}" for name, version in re.findall(r"^Inst (\S+) \((\S+)", planned, re.M)]


def describe(packages: list[str], folder: Path) -> str:
    """The index: what apt says of each package, with the file's name as it lies here."""
    stanzas = run("apt-cache", "show", "--no-all-versions", *packages).strip().split("\n\n")
    return "\n\n".join(renamed(stanza, folder) for stanza in stanzas) + "\n"


def renamed(stanza: str, folder: Path) -> str:
    """One package's lines. `%3a` in a file's name would be read as a colon."""
    fields = dict(re.findall(r"^(Package|Version|Architecture): (.*)$", stanza, re.M))
    version = fields["Version"].replace(":", "%3a")
    file = folder / f"{fields['Package']}_{version}_{fields['Architecture']}.deb"
    plain = file.with_name(file.name.replace("%3a", "_"))
    file.replace(plain)
    return re.sub(r"^Filename: .*$", f"Filename: ./{plain.name}", stanza, flags=re.M)


def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without times and owners, so that the same packages make the same archive."""
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "root", "root"
    return member


def run(*command: str, folder: Path | None = None) -> str:
    """What the command prints; its own words where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - apt alone
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} ...: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    """Collect and pack; prints how many packages it were."""
    target, *names = sys.argv[1:]
    packages = solve(names)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run("apt-get", "download", *packages, folder=folder)
        (folder / "Packages").write_text(describe(packages, folder), encoding="utf-8")
        with tarfile.open(target, "w") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, path.name, filter=plain)
    print(len(packages))  # noqa: T201 - the program's output


if __name__ == "__main__":
    main()
