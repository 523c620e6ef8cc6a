"""The releases of the mirror: archives shaped like Ollama's around the embedded engine, some of them broken.

    make_releases()  ->  .cache/hosts/releases/v<version>/{ollama-linux-amd64.tar.zst,sha256sum.txt}

    bin/ollama                  shared/release/ollama
    lib/ollama/release.json     the version, and in which way it is broken
    lib/ollama/python/          the engine, llama.cpp, click: the same for every Python
    lib/ollama/python3.11/      msgspec, which is built for one Python each
    lib/ollama/python3.13/

Owns what is in an archive and which ones there are. Made again when anything that is in them changes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.places import PROJECT, RELEASES, SHARED

ARCHIVE = "ollama-linux-amd64.tar.zst"
CHECKSUMS = "sha256sum.txt"
STAMP = "made-of"
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64")
# Debian 12's and Debian 13's.
PYTHONS = ("3.11", "3.13")
# What the engine imports, and the lock that pins it.
ENGINE_PACKAGES = {"xllamacpp": "embedded.txt", "click": "daemon.txt", "msgspec": "daemon.txt"}
BUILT_PER_PYTHON = {"msgspec"}


@dataclass(frozen=True)
class Release:
    """One release of the mirror."""

    version: str
    broken: str = ""
    """`exits` at its start; `loses_models`: looks for them elsewhere; `checksum`: a wrong one is listed."""


MADE = (
    Release("0.32.14"),
    Release("0.32.15"),
    Release("0.33.0"),
    Release("0.33.1", broken="exits"),
    Release("0.33.2", broken="loses_models"),
    Release("0.33.3", broken="checksum"),
)


def make_releases(folder: Path = RELEASES) -> None:
    """Make them all, unless they are there and made of what there is now."""
    made_of = _fingerprint()
    if (folder / STAMP).is_file() and (folder / STAMP).read_text() == made_of:
        return
    unfinished = folder.with_name("releases.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        tree = Path(scratch)
        _fill(tree)
        for release in MADE:
            _pack(tree, release, unfinished / f"v{release.version}")
    (unfinished / STAMP).write_text(made_of)
    # A mirror that runs goes on: it looks for the file at each request.
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _fingerprint() -> str:
    """What the archives are made of: our code and the locks."""
    files = [Path(__file__), SHARED / "release/ollama", *sorted(_engine_files())]
    files += [PROJECT / "requirements" / name for name in sorted(set(ENGINE_PACKAGES.values()))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _engine_files() -> Iterator[Path]:
    yield PROJECT / "ia0_daemon/__init__.py"
    yield from (PROJECT / "ia0_daemon/embedded").glob("*.py")


def _fill(tree: Path) -> None:
    """Lay out what all releases have in common."""
    library = tree / "lib/ollama"
    for source in _engine_files():
        target = library / "python" / source.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for python in PYTHONS:
        for wheel in _wheels(tree / "wheels", python):
            name = re.split(r"-", wheel.name)[0]
            own = f"python{python}" if name in BUILT_PER_PYTHON else "python"
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(library / own)
    shutil.rmtree(tree / "wheels")
    (tree / "bin").mkdir()
    shutil.copy(SHARED / "release/ollama", tree / "bin/ollama")


def _wheels(folder: Path, python: str) -> list[Path]:
    """The wheels of the engine's packages for one Python, as the locks pin them."""
    target = folder / python
    target.mkdir(parents=True)
    lock = target / "lock.txt"
    lock.write_text("".join(_pinned(ENGINE_PACKAGES)))
    tag = f"cp{python.replace('.', '')}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--implementation",
        "cp",
        "--python-version",
        python,
    ]
    command += [word for abi in (tag, "abi3", "none") for word in ("--abi", abi)]
    command += [word for platform in PLATFORMS for word in ("--platform", platform)]
    subprocess.run([*command, "--dest", str(target), "--requirement", str(lock)], check=True)
    return sorted(target.glob("*.whl"))


def _pinned(packages: dict[str, str]) -> Iterable[str]:
    """The locked lines of these packages, with their hashes."""
    for name, lock in packages.items():
        text = (PROJECT / "requirements" / lock).read_text()
        block = re.search(rf"^{name}==(?:.*\\\n)*.*\n", text, re.M)
        assert block is not None, f"requirements/{lock} does not pin {name}"
        yield block[0]


def _pack(tree: Path, release: Release, folder: Path) -> None:
    """Write one archive and its list of checksums."""
    folder.mkdir()
    note = {"version": release.version, "broken": release.broken}
    (tree / "lib/ollama/release.json").write_text(json.dumps(note))
    options = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u+rwX,go=rX", "--sort=name", "--mtime=@0"]
    subprocess.run(
        [
            "tar",
            "--use-compress-program=zstd -3 -T0",
            "-cf",
            folder / ARCHIVE,
            *options,
            "-C",
            tree,
            "bin",
            "lib",
        ],
        check=True,
    )
    digest = hashlib.sha256((folder / ARCHIVE).read_bytes()).hexdigest()
    if release.broken == "checksum":
        digest = digest[::-1]
    # Ollama's list names each file from the folder that it was made in.
    (folder / CHECKSUMS).write_text(f"{digest}  ./{ARCHIVE}\n")
