"""The regular test of a restore, the metrics, and what the scheduler's calls do with failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from ia0_daemon.backup import state
from ia0_daemon.backup.metrics import families
from tests.unit.backup.conftest import OLD_KEY, Host

METRICS = Path(__file__).parents[3] / "docs" / "metrics.md"


def metrics(host: Host) -> dict[str, float]:
    return {family.name: family.samples[0].value for family in host.service().families()}


def test_a_good_archive_passes(host: Host) -> None:
    host.service().create()
    before = host.snapshot()
    assert host.service().test() == []
    assert host.snapshot() == before
    assert host.events.kinds == ["backup_made", "restore_test_ok"]
    assert sorted(path.name for path in host.backups.iterdir() if path.name.startswith(".")) == [".lock"]


def test_without_an_archive_it_fails(host: Host) -> None:
    assert "there is no archive yet" in host.service().test()[0]
    assert host.events.kinds == ["restore_test_failed"]


def test_a_damaged_archive_fails(host: Host) -> None:
    path = host.service().create().path
    path.write_bytes(path.read_bytes()[:-3])
    assert "cut off" in host.service().test()[0]


def test_a_wrong_configuration_fails_and_names_the_real_file(host: Host) -> None:
    host.configure(more="nonsense = 1\n")
    host.service().create()
    (problem,) = host.service().test()
    assert "events.nonsense" in problem


def test_an_archive_without_the_created_keys_that_it_needs_fails(host: Host) -> None:
    """Those that stand on this host now would hide it."""
    keys = host.root / "keys.toml"
    host.configure(more=f'[auth]\nkeys_path = "{keys}"\n')
    text = host.config.read_text().partition("[[auth.keys]]")[0]
    host.config.write_text(text.replace("[server]", '[server]\nlisten = "0.0.0.0:8080"'))
    host.service().create()
    keys.write_text(f'[[keys]]\nname = "shop"\nsha256 = "{OLD_KEY}"\n')
    assert "does not start open" in host.service().test()[0]
    host.service().create()
    assert host.service().test() == []


def test_a_damaged_history_fails(host: Host) -> None:
    """SQLite copies page by page, so a damage can get into an archive that is whole."""
    connection = host.write_history(*(f"event {number} {'x' * 500}" for number in range(200)))
    connection.execute("CREATE INDEX by_summary ON event (summary)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(host.history.read_bytes())
    content[8192:40960] = bytes(32768)
    host.history.write_bytes(content)
    host.service().create()
    assert any(problem.startswith("event history") for problem in host.service().test())


def test_before_the_first_backup_there_are_no_times(host: Host) -> None:
    assert metrics(host) == {"ia0_backup_last_size_bytes": 0.0, "ia0_backup_archives": 0.0}


def test_a_good_backup_and_a_good_test_are_told(host: Host) -> None:
    made = host.service().create()
    host.service().restore_test()
    found = metrics(host)
    assert found["ia0_backup_last_result"] == found["ia0_backup_restore_test_last_result"] == 1
    assert found["ia0_backup_last_success_timestamp_seconds"] > 1.7e9
    assert found["ia0_backup_last_size_bytes"] == made.size
    assert found["ia0_backup_archives"] == 1


def test_a_failure_is_told_and_the_last_success_still_known(host: Host) -> None:
    host.service().create()
    service = host.service()
    host.config.unlink()
    service.backup_now()
    service.restore_test()
    found = metrics(host)
    assert (found["ia0_backup_last_result"], host.events[1].kind) == (0, "backup_failed")
    assert found["ia0_backup_last_success_timestamp_seconds"] > 1.7e9


def test_every_metric_is_documented(host: Host) -> None:
    host.service().create()
    host.service().test()
    page = METRICS.read_text("utf-8")
    assert [family.name for family in host.service().families() if f"`{family.name}`" not in page] == []


@pytest.mark.parametrize("content", [b"", b"rubbish", b'{"backup": 1}', b"\xff"])
def test_a_damaged_state_file_is_as_none(host: Host, content: bytes) -> None:
    host.backups.mkdir(mode=0o700)
    (host.backups / "state.json").write_bytes(content)
    assert state.read(host.backups) == state.State()
    assert list(families(host.backups))


def test_the_schedulers_calls_do_not_raise(host: Host) -> None:
    host.backups.write_text("a file in the folder's place")
    service = host.service()
    service.backup_now()
    service.prune_now()
    service.restore_test()
    assert host.events.kinds == ["backup_failed", "backup_failed", "restore_test_failed"]
