"""The vault of the example inventory, taken as its comments say: its key is the one that is let in."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.contract.roles import REPOSITORY

EXAMPLE = REPOSITORY / "inventory/example"


def run(program: str, *words: str | Path) -> str:
    """What one of Ansible's programs says."""
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *words],
        cwd=REPOSITORY,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A copy of the example, with the vault encrypted and the key taken from it."""
    folder = tmp_path / "fleet"
    shutil.copytree(EXAMPLE, folder)
    values = folder / "group_vars/gpu_hosts"
    (tmp_path / "password").write_text("a password of this test")
    shutil.copy(values / "vault.yml.example", values / "vault.yml")
    run("ansible-vault", "encrypt", "--vault-password-file", tmp_path / "password", values / "vault.yml")
    text = re.sub(r"^fleet_key_path: .*\n", "", (values / "main.yml").read_text(), flags=re.M)
    text = re.sub(r"^fleet_key: .*$", 'fleet_key: "{{ vault_fleet_key }}"', text, flags=re.M)
    (values / "main.yml").write_text(text)
    return folder


def test_the_hosts_are_given_the_hash_of_the_vaults_key(fleet: Path) -> None:
    key = yaml.safe_load((EXAMPLE / "group_vars/gpu_hosts/vault.yml.example").read_text())["vault_fleet_key"]
    assert re.fullmatch(r"ia0-[A-Za-z0-9_-]{43}", key)
    options: list[str | Path] = [
        "-i",
        fleet,
        "--vault-password-file",
        fleet.parent / "password",
        "--connection=local",
    ]
    said = run("ansible", *options, "gpu1", "-m", "debug", "-a", "msg={{ ia0_daemon_auth_keys | to_json }}")
    keys = yaml.safe_load(said.partition("=>")[2])["msg"]
    assert (json.loads(keys) if isinstance(keys, str) else keys) == [
        {"name": "proof", "sha256": hashlib.sha256(key.encode()).hexdigest()}
    ]


def test_the_key_is_in_no_file_of_the_inventory_in_the_clear(fleet: Path) -> None:
    files = [path for path in fleet.rglob("*") if path.is_file() and path.suffix != ".example"]
    assert [path for path in files if "ia0-EXAMPLE" in path.read_text()] == []
