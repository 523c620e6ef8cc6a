"""The lock files agree with each other, pin everything by hash, and name no index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract.roles import REPOSITORY

LOCKS = {
    name: (REPOSITORY / name).read_text(encoding="utf-8")
    for name in (
        "requirements.txt",
        "requirements/daemon.txt",
        "requirements/dev.txt",
        "requirements/embedded.txt",
    )
}
each_lock = pytest.mark.parametrize("name", LOCKS)


def pins(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+==\S+)", LOCKS[name], re.M))


@each_lock
def test_every_pin_has_a_hash(name: str) -> None:
    blocks = re.split(r"^(?=[a-z0-9])", LOCKS[name], flags=re.M)
    assert [block.split()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block] == []


@each_lock
def test_no_lock_names_an_index(name: str) -> None:
    assert re.findall(r"https?://|--index|--extra-index|--find-links", LOCKS[name]) == []


@pytest.mark.parametrize(
    ("small", "large"),
    [("requirements/daemon.txt", "requirements.txt"), ("requirements.txt", "requirements/dev.txt")],
)
def test_a_larger_lock_holds_the_smaller_one(small: str, large: str) -> None:
    assert pins(small) - pins(large) == set()


def test_the_build_backend_is_the_locked_one() -> None:
    required = re.search(
        r'requires = \["(flit_core)==([0-9.]+)"\]', (REPOSITORY / "pyproject.toml").read_text()
    )
    assert required is not None
    assert f"flit-core=={required[2]}" in pins("requirements.txt")


def test_no_file_of_ours_names_this_machine() -> None:
    """A path of a developer's machine works nowhere else."""
    ours = [path for suffix in ("yml", "toml", "cfg", "md", "sh") for path in _ours(suffix)]
    assert [
        str(path) for path in ours if re.search(r"/(?:root|home/[a-z]+)/\.", path.read_text(encoding="utf-8"))
    ] == []


def _ours(suffix: str) -> list[Path]:
    found = REPOSITORY.rglob(f"*.{suffix}")
    return [path for path in found if not {".venv", ".ia0", ".cache"} & set(path.parts)]
