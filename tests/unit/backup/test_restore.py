"""What a restore puts in place, what it refuses, and how it is undone."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ia0_daemon.backup.errors import BackupError, RestoreBroken, RestoreRefused
from ia0_daemon.backup.plan import Wishes
from ia0_daemon.backup.replace_file import Replacement
from tests.unit.backup.conftest import NEW_KEY, OLD_KEY, Host


def damage_all(host: Host) -> None:
    """Another configuration, and several files gone or changed."""
    host.configure(NEW_KEY)
    (host.config.parent / "engine.env").unlink()
    (host.ollama / "id_ed25519").write_text("another key")
    (host.ollama / "id_ed25519").chmod(0o640)
    shutil.rmtree(host.units / "ollama.service.d")


def test_a_restore_brings_everything_back(host: Host) -> None:
    before = host.snapshot()
    host.service().create()
    damage_all(host)
    done = host.service().restore()
    assert host.snapshot() == before
    assert done.configuration_changed
    assert set(done.put) == {
        str(host.config),
        str(host.config.parent / "engine.env"),
        str(host.ollama / "id_ed25519"),
        str(host.units / "ollama.service.d/10-ia0.conf"),
    }


def test_undo_brings_the_state_before_back_and_undo_again_the_restored_one(host: Host) -> None:
    good = host.snapshot()
    host.service().create()
    damage_all(host)
    damaged = host.snapshot()
    host.service().restore()
    host.service().undo()
    assert host.snapshot() == damaged
    host.service().undo()
    assert host.snapshot() == good
    assert host.events.kinds == ["backup_made", "restore_done", "restore_undone", "restore_undone"]


def test_one_file_alone_is_restored(host: Host) -> None:
    host.service().create()
    damage_all(host)
    config = host.config.read_bytes()
    done = host.service().restore(wishes=Wishes(only=("engine.env",)))
    assert done.put == (str(host.config.parent / "engine.env"),)
    assert not done.configuration_changed
    assert host.config.read_bytes() == config
    host.service().undo()
    assert not (host.config.parent / "engine.env").exists()


def test_where_nothing_differs_nothing_is_done(host: Host) -> None:
    host.service().create()
    done = host.service().restore()
    assert (done.put, done.undo) == ((), None)
    assert list(host.backups.glob("ia0-undo-*")) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing.toml", "is not in the archive"),
        ("ia0.tom", "is not in the archive"),
        ("modelfiles/qwen2%3A7b", "ollama create"),
    ],
)
def test_a_name_that_means_no_file_of_the_host_is_refused(host: Host, name: str, words: str) -> None:
    host.service().create()
    with pytest.raises(RestoreRefused, match=words):
        host.service().restore(wishes=Wishes(only=(name,)))


def test_a_name_that_means_several_files_is_refused(host: Host) -> None:
    (host.root / "more").mkdir()
    (host.root / "more/ia0.toml").write_text("x")
    host.configure(backup=f'include = ["{host.root}/more"]\n')
    host.service().create()
    with pytest.raises(RestoreRefused, match="means several files"):
        host.service().restore(wishes=Wishes(only=("ia0.toml",)))


def test_a_configuration_that_the_daemon_would_refuse_is_refused(host: Host) -> None:
    host.configure(more="nonsense = 1\n")
    host.service().create()
    host.configure()
    before = host.snapshot()
    with pytest.raises(RestoreRefused, match="the daemon would refuse") as error:
        host.service().restore()
    assert f"({host.config})" in error.value.details[0]
    assert host.snapshot() == before


def test_the_environment_counts_in_the_check(host: Host) -> None:
    host.service().create()
    host.configure(NEW_KEY)
    host.environ["IA0_SERVER__THREADS"] = "nonsense"
    with pytest.raises(RestoreRefused, match="the daemon would refuse"):
        host.service().restore()


def test_keys_are_checked_together_with_the_configuration(host: Host) -> None:
    keys = host.root / "keys.toml"
    keys.write_text(f'[[keys]]\nname = "shop"\nsha256 = "{OLD_KEY}"\n')
    host.config.write_text(host.config.read_text().partition("[[auth.keys]]")[0])
    host.environ["IA0_AUTH__KEYS_FILE"] = str(keys)
    host.service().create()
    keys.write_text("rubbish")
    assert host.service().restore().put == (str(keys),)


def test_created_keys_come_back_and_are_checked_as_they_will_be(host: Host) -> None:
    keys = host.root / "keys.toml"
    host.configure(more=f'[auth]\nkeys_path = "{keys}"\n')
    keys.write_text(f'[[keys]]\nname = "more"\nsha256 = "{NEW_KEY}"\n')
    host.service().create()
    before = host.snapshot()
    keys.write_text("rubbish")
    restored = host.service().restore()
    assert restored.put == (str(keys),)
    assert restored.configuration_changed
    assert host.snapshot() == before


def test_created_keys_that_the_daemon_would_refuse_are_not_brought_back(host: Host) -> None:
    keys = host.root / "keys.toml"
    host.configure(more=f'[auth]\nkeys_path = "{keys}"\n')
    keys.write_text('[[keys]]\nname = "more"\n')
    host.service().create()
    keys.unlink()
    with pytest.raises(RestoreRefused, match="the daemon would refuse") as error:
        host.service().restore()
    assert f"({keys})" in error.value.details[0]
    assert not keys.exists()


def test_a_broken_present_configuration_does_not_stop_a_restore(host: Host) -> None:
    """What it no longer says, where the engine's keys are, the archive's own configuration does."""
    host.service().create()
    before = host.snapshot()
    host.config.write_text("this is [no TOML")
    (host.ollama / "id_ed25519").unlink()
    host.service().restore()
    assert host.snapshot() == before


def test_an_archive_from_elsewhere_does_not_say_where_it_may_write(host: Host) -> None:
    elsewhere = host.root / "from-a-stranger.tar.gz"
    host.service().create().path.rename(elsewhere)
    host.config.write_text("this is [no TOML")
    (host.ollama / "id_ed25519").unlink()
    with pytest.raises(RestoreRefused, match="saves none"):
        host.service().restore(str(elsewhere))


def test_an_undo_brings_a_broken_configuration_back_and_says_so(host: Host) -> None:
    host.service().create()
    host.config.write_text("this is [no TOML")
    host.service().restore(wishes=Wishes(only=("ia0.toml",)))
    done = host.service().undo()
    assert host.config.read_text() == "this is [no TOML"
    assert any("the configuration is wrong, as it was before" in note for note in done.notes)


def test_what_the_present_configuration_does_not_save_is_written_on_demand_alone(host: Host) -> None:
    more = host.root / "more.txt"
    more.write_text("old")
    host.configure(backup=f'include = ["{more}"]\n')
    host.service().create()
    host.configure()
    more.write_text("new")
    with pytest.raises(RestoreRefused, match="saves none") as error:
        host.service().restore()
    assert error.value.details == [str(more)]
    host.service().restore(wishes=Wishes(new_paths=True))
    assert more.read_text() == "old"
    host.service().undo()
    assert more.read_text() == "new"


def test_a_model_without_its_blobs_is_not_promised(host: Host) -> None:
    host.service().create()
    host.blob.unlink()
    host.manifest.unlink()
    done = host.service().restore()
    assert not host.manifest.exists()
    assert any("ollama pull qwen2:7b" in note for note in done.notes)


def test_a_model_with_its_blobs_comes_back(host: Host) -> None:
    host.service().create()
    host.manifest.unlink()
    host.service().restore()
    assert host.manifest.exists()


def test_the_present_history_stays_unless_the_old_one_is_wanted(host: Host) -> None:
    host.service().create()
    with closing(host.write_history("later")) as daemon:
        host.service().restore()
        assert host.read_history() == ["started", "later"]
        host.service().restore(wishes=Wishes(history=True))
        assert daemon.execute("SELECT summary FROM event").fetchall() == [("started",)]
        daemon.execute("INSERT INTO event VALUES ('the daemon goes on')")
    assert host.read_history() == ["started", "the daemon goes on"]
    host.service().undo()
    assert host.read_history() == ["started", "later"]


def test_a_missing_history_comes_back_with_its_mode(host: Host) -> None:
    host.history.chmod(0o640)
    host.service().create()
    host.history.unlink()
    host.service().restore()
    assert host.read_history() == ["started"]
    assert stat.S_IMODE(host.history.stat().st_mode) == 0o640


def test_a_history_is_not_put_into_a_damaged_one(host: Host) -> None:
    host.service().create()
    host.history.write_bytes(b"rubbish" * 500)
    with pytest.raises(RestoreRefused, match="history is damaged"):
        host.service().restore(wishes=Wishes(history=True))


def test_a_link_in_the_place_of_a_file_is_refused(host: Host) -> None:
    victim = host.root / "shadow"
    victim.write_text("root's")
    host.service().create()
    (host.ollama / "id_ed25519").unlink()
    (host.ollama / "id_ed25519").symlink_to(victim)
    host.configure(NEW_KEY)
    config = host.config.read_bytes()
    with pytest.raises(RestoreRefused, match="is a symbolic link"):
        host.service().restore()
    assert (victim.read_text(), host.config.read_bytes()) == ("root's", config)


def test_a_folder_that_became_a_link_is_refused(host: Host, tmp_path: Path) -> None:
    host.service().create()
    folder = host.units / "ollama.service.d"
    shutil.rmtree(folder)
    (host.root / "elsewhere").mkdir()
    folder.symlink_to(host.root / "elsewhere")
    with pytest.raises(RestoreRefused, match="symbolic link"):
        host.service().restore()
    assert list((host.root / "elsewhere").iterdir()) == []


def test_a_file_that_cannot_be_written_is_noticed_before_anything_is_touched(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.service().create()
    damage_all(host)
    before = host.snapshot()
    real = Replacement.prepare
    done: list[bool] = []

    def full(self: Replacement, *args: object) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(True)
        real(self, *args)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(Replacement, "prepare", full)
    with pytest.raises(RestoreRefused, match="No space left on device; nothing was touched"):
        host.service().restore()
    assert host.snapshot() == before
    assert not list(host.root.rglob(".*ia0-new"))


def test_a_restore_that_stops_midway_leaves_old_or_new_and_can_be_undone(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = host.snapshot()
    host.service().create()
    damage_all(host)
    damaged = host.snapshot()
    real = Replacement.commit
    done: list[bool] = []

    def broken(self: Replacement) -> None:
        if done:
            raise OSError(5, "Input/output error")
        done.append(True)
        real(self)

    monkeypatch.setattr(Replacement, "commit", broken)
    with pytest.raises(RestoreBroken, match="`ia0 backup undo`") as error:
        host.service().restore()
    assert error.value.details == [str(host.config)]
    now = host.snapshot()
    assert now[str(host.config)] == good[str(host.config)]
    assert {path: now[path] for path in now if path != str(host.config)} == {
        path: damaged[path] for path in damaged if path != str(host.config)
    }
    monkeypatch.setattr(Replacement, "commit", real)
    host.service().undo()
    assert host.snapshot() == damaged


KILLED = """
import os, signal, sys
from pathlib import Path
from ia0_daemon.backup.replace_file import Replacement
from ia0_daemon.cli import main
real, left = Replacement.commit, [int(sys.argv.pop(1))]
def commit(self):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    real(self)
Replacement.commit = commit
main()
"""


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_killed_restore_leaves_each_file_old_or_new_and_can_be_undone(host: Host, after: int) -> None:
    host.name = os.uname().nodename
    good = host.snapshot()
    host.service().create()
    damage_all(host)
    damaged = host.snapshot()
    command = [sys.executable, "-c", KILLED, str(after), "backup", "restore", "--yes"]
    named = [
        "--new-paths",
        "--config",
        str(host.config),
    ]  # the command looks for units where systemd has them
    code = subprocess.run([*command, *named], capture_output=True, check=False).returncode
    assert code == -signal.SIGKILL
    now = {path: value for path, value in host.snapshot().items() if not path.endswith(".ia0-new")}
    assert all(value in (good.get(path), damaged.get(path)) for path, value in now.items())
    assert sum(now.get(path) != damaged.get(path) for path in good) == after
    host.service().undo()
    kept = {path: value for path, value in host.snapshot().items() if not path.endswith(".ia0-new")}
    assert kept == damaged


def test_without_a_restore_there_is_nothing_to_undo(host: Host) -> None:
    with pytest.raises(BackupError, match="no restore to undo"):
        host.service().undo()


def test_root_gives_files_their_owner_back(host: Host) -> None:
    path = host.ollama / "id_ed25519"
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    owner = path.stat().st_uid
    host.service().create()
    path.unlink()
    host.service().restore()
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (owner, 0o600)


def test_a_database_is_copied_whole_while_rows_come(host: Host) -> None:
    with closing(host.write_history("later")):
        host.service().create()
    host.history.unlink()
    for helper in ("-wal", "-shm"):
        host.history.with_name(host.history.name + helper).unlink(missing_ok=True)
    host.service().restore()
    with closing(sqlite3.connect(host.history)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert host.read_history() == ["started", "later"]
