"""Where the values of `make up` come from, and which is the stronger."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contract.roles import REPOSITORY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile alone, with what its rules need to be there."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    for name in (
        "requirements.txt",
        "requirements/embedded.txt",
        "requirements/install.sh",
        "pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make without what the make around these tests handed on."""
    clean = {"PATH": os.environ["PATH"]} | environment
    return subprocess.run(
        ["make", *words], cwd=folder, env=clean, capture_output=True, text=True, check=False
    )


def handed_on(folder: Path, *words: str, **environment: str) -> dict[str, str]:
    """What `make up` would give to the playbook."""
    done = make(folder, "--dry-run", "up", *words, **environment)
    (line,) = (line for line in done.stdout.splitlines() if "ansible-playbook" in line)
    return dict(re.findall(r"([A-Z0-9_]+)='([^']*)'", line))


def test_nothing_is_handed_on_that_nobody_set(folder: Path) -> None:
    assert handed_on(folder) == {}


def test_env_is_read_and_its_quotes_are_left_out(folder: Path) -> None:
    (folder / ".env").write_text('IA0_PORT=9090\nTIMEOUT="45s"\n#LOG_LEVEL=DEBUG\n')
    assert handed_on(folder) == {"IA0_PORT": "9090", "TIMEOUT": "45s"}


def test_the_environment_is_stronger_than_env(folder: Path) -> None:
    (folder / ".env").write_text("IA0_PORT=9090\nMAX_TOKENS=10\n")
    assert handed_on(folder, IA0_PORT="9191") == {"IA0_PORT": "9191", "MAX_TOKENS": "10"}


def test_a_word_behind_the_target_is_the_strongest(folder: Path) -> None:
    (folder / ".env").write_text("IA0_PORT=9090\n")
    assert handed_on(folder, "IA0_PORT=9292", IA0_PORT="9191") == {"IA0_PORT": "9292"}


def test_a_clone_whose_path_has_a_blank_is_refused(folder: Path, tmp_path: Path) -> None:
    blank = tmp_path / "with blank"
    blank.mkdir()
    shutil.copy(folder / "Makefile", blank)
    done = make(blank)
    assert (done.returncode, "has a blank in it" in done.stderr) == (2, True)


def test_make_alone_prints_the_targets(folder: Path) -> None:
    assert re.search(r"^  up +Provision this machine", make(folder).stdout, re.M)
