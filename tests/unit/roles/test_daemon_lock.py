"""Which packages of the lock file are downloaded for a host."""

from __future__ import annotations

import re

import pytest

from tests.contract.roles import REPOSITORY
from tests.unit.roles.plugins import load

LOCK = """\
# written by uv
click==8.5.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via flask
deprecated==1.3.1 ; python_full_version < '3.12' \\
    --hash=sha256:cc
deprecated==3.0.1 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
tzdata==2026.6 ; sys_platform == 'win32' \\
    --hash=sha256:ee
arm==1 ; platform_machine == 'aarch64' and sys_platform == 'linux'
"""
lock_for = load("ia0_daemon", "ia0_daemon_lock").lock_for


def names(lock: str, *python: int, machine: str = "x86_64") -> list[str]:
    return re.findall(r"^[a-z].*?==[^ \n]+", lock_for(lock, python, machine), re.M)


@pytest.mark.parametrize(("python", "deprecated"), [((3, 11, 2), "1.3.1"), ((3, 13, 5), "3.0.1")])
def test_of_two_versions_the_one_for_the_hosts_python_is_taken(
    python: tuple[int, int, int], deprecated: str
) -> None:
    assert names(LOCK, *python) == ["click==8.5.1", f"deprecated=={deprecated}"]


def test_the_kind_of_processor_counts() -> None:
    assert "arm==1" in names(LOCK, 3, 13, 5, machine="aarch64")


def test_hashes_stay_and_markers_go() -> None:
    text = lock_for(LOCK, (3, 11, 2), "x86_64")
    assert "click==8.5.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n" in text
    assert "deprecated==1.3.1 \\\n    --hash=sha256:cc\n" in text
    assert ";" not in text
    assert "sha256:dd" not in text


@pytest.mark.parametrize("python", [(3, 11, 2), (3, 12, 0), (3, 13, 5)])
def test_the_projects_own_lock_has_each_package_once(python: tuple[int, int, int]) -> None:
    lock = (REPOSITORY / "requirements/daemon.txt").read_text()
    packages = [name.partition("==")[0] for name in names(lock, *python)]
    assert "waitress" in packages
    assert sorted(set(packages)) == sorted(packages)
