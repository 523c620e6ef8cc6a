"""The environments of the peers, made by the benchmark under `.cache/bench`, and what is missing for them.

Owns the pinned versions. Never installs a package of the system: it says what to install.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "bench"
LITELLM = "1.106.2"
PORTKEY = "1.15.2"
# Portkey's gateway needs it [its package.json, "engines"]; Debian 12 has 18.
NODE_MAJOR = 20


class MissingError(Exception):
    """Something that a row needs is not on this machine; the text says how to get it."""


def tool(name: str, package: str) -> str:
    """Give the path of a program. Raises `MissingError`."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise MissingError(f"{name} is not here: apt-get install --no-install-recommends {package}")
    return path


def stub() -> Path:
    """Compile the stub where it is not yet, and give its path. Raises `MissingError`."""
    source, program = Path(__file__).with_name("stub.c"), CACHE / "stub"
    compiler = tool("cc", "gcc libc6-dev")
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        CACHE.mkdir(parents=True, exist_ok=True)
        _run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source)], ROOT)
    return program


def litellm() -> Path:
    """Make LiteLLM's environment where it is not yet, and give its folder."""
    folder = CACHE / f"litellm-{LITELLM}"
    if not (folder / "made").exists():
        _start_over(folder, f"LiteLLM {LITELLM} (about 600 MB)")
        _run([sys.executable, "-m", "venv", str(folder)], ROOT)
        _run([str(folder / "bin/pip"), "install", "--quiet", f"litellm[proxy]=={LITELLM}"], ROOT)
        (folder / "made").touch()
    return folder


def portkey() -> tuple[str, Path]:
    """Make Portkey's environment where it is not yet; give Node and the server's script."""
    node = tool("node", f"nodejs (at least {NODE_MAJOR})")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < NODE_MAJOR:
        raise MissingError(f"Portkey needs Node {NODE_MAJOR} or later; {node} is {version}")
    folder = CACHE / f"portkey-{PORTKEY}"
    if not (folder / "made").exists():
        npm = tool("npm", "npm")
        _start_over(folder, f"Portkey {PORTKEY} (about 100 MB)")
        folder.mkdir(parents=True)
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        package = f"@portkey-ai/gateway@{PORTKEY}"
        _run([npm, "install", *quiet, "--prefix", str(folder), package], folder)
        (folder / "made").touch()
    return node, folder / "node_modules/@portkey-ai/gateway/build/start-server.js"


def _start_over(folder: Path, what: str) -> None:
    sys.stdout.write(f"installing {what} into {folder.relative_to(ROOT)}\n")
    sys.stdout.flush()
    shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise MissingError(f"{' '.join(command[:3])} ... failed: {' / '.join(said)}")
