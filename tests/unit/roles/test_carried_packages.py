"""Debian packages that cross an air gap: which ones, and an index whose names apt can read."""

from __future__ import annotations

import importlib.util
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.contract.roles import REPOSITORY

SIMULATED = """\
Reading package lists...
Inst libc6 (2.41-12 Debian:13/stable [amd64])
Inst passwd (1:4.17.4-2 Debian:13/stable [amd64])
Conf libc6 (2.41-12 Debian:13/stable [amd64])
"""
STANZA = """\
Package: passwd
Version: 1:4.17.4-2
Architecture: amd64
Filename: pool/main/s/shadow/passwd_4.17.4-2_amd64.deb
SHA256: 00"""


def load() -> Any:
    path = REPOSITORY / "playbooks/files/collect_debian_packages.py"
    spec = importlib.util.spec_from_file_location("collect_debian_packages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def collect() -> Any:
    return load()


def test_what_apt_would_install_is_taken_in_that_version(
    collect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "run", lambda *command: SIMULATED)
    assert collect.solve(["zstd"]) == ["libc6=2.41-12", "passwd=1:4.17.4-2"]


def test_a_file_is_renamed_so_that_its_name_holds_no_escape(collect: Any, tmp_path: Path) -> None:
    (tmp_path / "passwd_1%3a4.17.4-2_amd64.deb").write_bytes(b"x")
    described = collect.renamed(STANZA, tmp_path)
    assert "Filename: ./passwd_1_4.17.4-2_amd64.deb\n" in described
    assert (tmp_path / "passwd_1_4.17.4-2_amd64.deb").exists()


def test_apts_own_words_are_told_where_it_fails(collect: Any) -> None:
    with pytest.raises(SystemExit, match="No such file"):
        collect.run("sh", "-c", "cat /nowhere/at/all")


def test_times_and_owners_are_left_out_of_the_archive(collect: Any) -> None:
    member = tarfile.TarInfo("x.deb")
    member.mtime, member.uid = 1000, 1000
    assert (collect.plain(member).mtime, member.uid, member.uname) == (0, 0, "root")
