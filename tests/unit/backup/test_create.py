"""What an archive holds, how it is written, and what is told of what it lacks."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ia0_daemon.backup import archive_read
from ia0_daemon.backup.errors import BackupError, Busy, DamagedArchive
from ia0_daemon.backup.manifest import Kind
from tests.unit.backup.conftest import NEW_KEY, Host


def members(path: Path) -> list[str]:
    """As plain tar lists them."""
    return subprocess.run(["tar", "-tzf", path], check=True, capture_output=True, text=True).stdout.split()


def test_everything_is_saved_and_the_manifest_comes_first(host: Host) -> None:
    made = host.service().create()
    root = str(host.root)
    assert members(made.path) == [
        "manifest.json",
        f"files{root}/etc/ia0.toml",
        f"files{root}/etc/engine.env",
        f"files{root}/ollama/id_ed25519",
        f"files{root}/ollama/id_ed25519.pub",
        f"files{root}/ollama/server.json",
        f"files{root}/systemd/ollama.service.d/10-ia0.conf",
        f"files{host.manifest}",
        f"files{root}/events.db",
        "modelfiles/qwen2%3A7b",
    ]
    assert made.manifest.notes == ()


def test_blobs_are_named_and_not_saved(host: Host) -> None:
    (model,) = host.service().create().manifest.models
    assert (model.name, [(blob.digest, blob.size) for blob in model.blobs]) == (
        "qwen2:7b",
        [("sha256:aa", 7)],
    )


def test_plain_tar_unpacks_it(host: Host, tmp_path: Path) -> None:
    made = host.service().create()
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xzf", made.path, "-C", out], check=True)
    assert (out / "files" / str(host.config)[1:]).read_text() == host.config.read_text()
    assert stat.S_IMODE((out / "files" / str(host.ollama)[1:] / "id_ed25519").stat().st_mode) == 0o600


def test_archive_and_folder_are_their_owners_alone(host: Host) -> None:
    made = host.service().create()
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(host.backups.stat().st_mode) == 0o700


def test_what_root_makes_beside_the_archives_is_the_folders_owners(host: Host) -> None:
    """Else the daemon, another user, could not lock its folder after `sudo ia0 backup create`."""
    if os.geteuid() == 0:
        os.chown(host.root, 65534, 65534)
    host.service().create()
    made = (host.backups, host.backups / ".lock", host.backups / "state.json")
    assert {path.stat().st_uid for path in made} == {host.root.stat().st_uid}


def test_a_folder_that_others_may_enter_is_refused(host: Host) -> None:
    host.backups.mkdir()
    host.backups.chmod(0o755)
    with pytest.raises(BackupError, match="others may enter it"):
        host.service().create()


def test_the_history_is_saved_while_a_daemon_writes_it(host: Host, tmp_path: Path) -> None:
    with closing(host.write_history("in the WAL")):
        made = host.service().create()
    copy = tmp_path / "copy.db"
    with archive_read.opened(made.path, 2**20) as archive:
        entry = next(entry for entry in archive.manifest.files if entry.kind is Kind.HISTORY)
        copy.write_bytes(archive.content(entry).read())
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute("SELECT summary FROM event").fetchall()
    assert rows == [("started",), ("in the WAL",)]


def test_a_silent_engine_is_a_note(host: Host) -> None:
    host.engine.silent = True
    manifest = host.service().create().manifest
    assert manifest.notes == ("Modelfiles: not saved: the engine does not answer",)
    assert [model.name for model in manifest.models] == ["qwen2:7b"]


def test_one_modelfile_that_the_engine_does_not_give_is_a_note(host: Host) -> None:
    host.engine.models["other:1b"] = "FROM x"
    host.engine.refuses = {"other:1b"}
    assert host.service().create().manifest.notes == ("Modelfile of other:1b: not saved: 500",)


def test_a_symbolic_link_is_not_followed(host: Host) -> None:
    (host.root / "shadow").write_text("root's")
    (host.ollama / "server.json").unlink()
    (host.ollama / "server.json").symlink_to(host.root / "shadow")
    made = host.service().create()
    assert not any("server.json" in name for name in members(made.path))
    assert any("symbolic link" in note for note in made.manifest.notes)


def test_a_link_below_a_saved_folder_is_not_followed(host: Host) -> None:
    host.manifest.with_name("evil").symlink_to("/etc/passwd")
    assert any("evil" in note for note in host.service().create().manifest.notes)


def test_a_fifo_does_not_hold_a_backup(host: Host) -> None:
    os.mkfifo(host.manifest.with_name("pipe"))
    assert any("no plain file" in note for note in host.service().create().manifest.notes)


def test_included_files_and_folders_are_saved(host: Host) -> None:
    (host.root / "more").mkdir()
    (host.root / "more/a.txt").write_text("a")
    host.configure(backup=f'include = ["{host.root}/more"]\n')
    assert f"files{host.root}/more/a.txt" in members(host.service().create().path)


def test_the_keys_file_of_the_environment_is_saved(host: Host) -> None:
    keys = host.root / "keys.toml"
    keys.write_text(host.config.read_text().partition("[[auth.keys]]")[2].join(["[[keys]]", ""]))
    host.config.write_text(host.config.read_text().partition("[[auth.keys]]")[0])
    host.environ["IA0_AUTH__KEYS_FILE"] = str(keys)
    made = host.service().create()
    assert [entry.origin for entry in made.manifest.files if entry.kind is Kind.KEYS] == [str(keys)]
    assert made.manifest.configuration_ok


def test_the_keys_that_are_created_are_saved(host: Host) -> None:
    keys = host.root / "keys.toml"
    host.configure(more=f'[auth]\nkeys_path = "{keys}"\n')
    assert not [entry for entry in host.service().create().manifest.files if entry.kind is Kind.KEYS]
    keys.write_text(f'[[keys]]\nname = "more"\nsha256 = "{NEW_KEY}"\n')
    made = host.service().create()
    assert [entry.origin for entry in made.manifest.files if entry.kind is Kind.KEYS] == [str(keys)]
    assert made.manifest.configuration_ok


def test_a_wrong_configuration_is_saved_and_said(host: Host) -> None:
    host.configure(more="nonsense = 1\n")
    manifest = host.service().create().manifest
    assert not manifest.configuration_ok
    assert "the configuration does not pass the daemon's check" in manifest.notes


def test_without_its_configuration_a_backup_is_none(host: Host) -> None:
    service = host.service()
    host.config.unlink()
    with pytest.raises(BackupError, match="there is no such file"):
        service.create()
    assert host.events.kinds == ["backup_failed"]


def test_more_than_may_be_saved_is_refused_and_leaves_nothing(host: Host) -> None:
    host.configure(backup='max_bytes = "1MiB"\n' + f'include = ["{host.root}/big"]\n')
    (host.root / "big").write_bytes(os.urandom(2**20))
    with pytest.raises(BackupError, match=r"backup\.max_bytes"):
        host.service().create()
    assert sorted(path.name for path in host.backups.iterdir()) == [".lock", "state.json"]


def test_a_folder_named_by_mistake_is_not_walked_for_ever(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ia0_daemon.backup.collect._MOST_FILES", 3)
    with pytest.raises(BackupError, match="more than 3 files"):
        host.service().create()


def test_what_does_not_read_back_is_not_kept(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(path: Path, max_bytes: int) -> None:
        raise DamagedArchive("a bad disk")

    monkeypatch.setattr("ia0_daemon.backup.archive_read.verify", damaged)
    with pytest.raises(DamagedArchive, match="does not read back"):
        host.service().create()
    assert list(host.backups.glob("*.tar.gz")) == []


def test_two_in_the_same_instant_do_not_collide(host: Host) -> None:
    now = host.clock()
    host.clock = lambda: now  # type: ignore[assignment]  # a clock that stands still
    first, second = host.service().create(), host.service().create()
    assert first.path != second.path
    assert [named.path for named in host.service().folder.archives()] == [second.path, first.path]


def test_a_clock_that_was_set_back_does_not_make_the_newest_look_old(host: Host) -> None:
    host.service().create()
    host.clock.now = host.clock.now.replace(year=2020)
    newest = host.service().create()
    assert host.service().folder.archives()[0].path == newest.path


def test_two_exclude_each_other(host: Host) -> None:
    service = host.service()
    with service.folder.locked(0), pytest.raises(Busy, match="another backup or restore is running"):
        host.service().create()
    host.service().create()


def command(host: Host, *args: str, limit: int | None = None) -> subprocess.Popen[str]:
    """The real command in a process of its own; `limit` is the largest file that it may write."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "ia0_daemon", "backup", *args, "--config", str(host.config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limited,
    )


def test_a_write_that_fails_leaves_no_half_archive_and_says_so(host: Host) -> None:
    (host.root / "big").write_bytes(os.urandom(200_000))
    host.configure(backup=f'include = ["{host.root}/big"]\n')
    with command(host, "create", limit=100_000) as process:
        output = process.communicate()[0]
    assert process.returncode == 1
    assert "File too large; no archive was written" in output
    assert sorted(path.name for path in host.backups.iterdir()) == [".lock", "state.json"]


def test_a_killed_backup_leaves_no_half_archive_and_the_next_sweeps_up(host: Host) -> None:
    # So much that it is not done before it is killed, though this process stands still for seconds.
    (host.root / "big").write_bytes(os.urandom(32 * 2**20) * 8)
    host.configure(backup=f'include = ["{host.root}/big"]\n')
    with command(host, "create") as process:
        until = time.monotonic() + 60
        while not any(
            path.is_file() and path.stat().st_size for path in host.backups.glob(".ia0-unfinished-*.gz")
        ):
            assert process.poll() is None
            assert time.monotonic() < until
        process.send_signal(signal.SIGKILL)
    assert list(host.backups.glob("ia0-*")) == []
    assert list(host.backups.glob(".ia0-unfinished-*")) != []
    host.configure()
    host.service().create()
    assert list(host.backups.glob(".ia0-unfinished-*")) == []


def test_both_processes_of_two_at_once_get_their_archive(host: Host) -> None:
    with command(host, "create") as one, command(host, "create") as other:
        outputs = [one.communicate()[0], other.communicate()[0]]
    assert [one.returncode, other.returncode] == [0, 0], outputs
    assert len(list(host.backups.glob("ia0-backup-*"))) == 2
