"""The file of created keys: whole or not at all, for the daemon's eyes, one command at a time."""

from __future__ import annotations

import fcntl
import os
import tomllib
from pathlib import Path

import pytest

from ia0_daemon.keys_store import CannotStore, KeysStore, text
from ia0_daemon.settings.schema import ApiKey

KEY = ApiKey(name="shop", sha256="a" * 64)
EVERYTHING = ApiKey(
    name="all",
    sha256="b" * 64,
    expires="2027-01-31T00:00:00Z",
    models=("m-1", "m-2"),
    requests_per_minute=1,
    tokens_per_minute=2,
    tokens_per_day=3,
    max_concurrent=4,
    admin=True,
    system='Say "no".\nÄ\x7f\t\\',
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "keys.toml"


def write(path: Path, *keys: ApiKey) -> None:
    with KeysStore(str(path), wait_s=0.1) as store:
        store.write(keys)


def test_what_is_written_can_be_read_as_it_was() -> None:
    (table,) = tomllib.loads(text([EVERYTHING]))["keys"]
    assert ApiKey(**{**table, "models": tuple(table["models"])}) == EVERYTHING


def test_of_a_key_only_what_is_not_its_default_is_written() -> None:
    assert tomllib.loads(text([KEY]))["keys"] == [{"name": "shop", "sha256": "a" * 64}]


def test_the_file_is_for_its_owner_and_group(path: Path) -> None:
    write(path, KEY)
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_root_writes_is_the_folders_owners(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr("ia0_daemon.backup.replace_file.os.geteuid", lambda: 0)
    monkeypatch.setattr(
        "ia0_daemon.backup.replace_file.os.fchown", lambda _, uid, gid: given.append((uid, gid))
    )
    write(path, KEY)
    assert given == [(path.parent.stat().st_uid, path.parent.stat().st_gid)]


def test_a_missing_folder_is_made_and_goes_again_where_nothing_is_written(path: Path) -> None:
    with KeysStore(str(path.parent / "new/keys.toml")):
        pass
    assert not (path.parent / "new").exists()
    write(path.parent / "new/keys.toml", KEY)
    assert (path.parent / "new/keys.toml").exists()


def test_two_commands_at_once_wait_for_each_other(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(CannotStore, match="another `ia0 keys`"):
        write(path, KEY)
    os.close(descriptor)
    write(path, KEY)


def test_a_link_in_the_files_place_is_not_followed(path: Path) -> None:
    target = path.parent / "shadow"
    target.write_text("secret")
    path.symlink_to(target)
    with pytest.raises(CannotStore, match="symbolic link"):
        write(path, KEY)
    assert target.read_text() == "secret"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, KEY)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("ia0_daemon.backup.replace_file.os.fsync", full)
        with pytest.raises(CannotStore, match="No space left on device; nothing was changed"):
            write(path, KEY, EVERYTHING)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
