"""Which archives are deleted, and which never."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.unit.backup.conftest import NEW_KEY, OLD_KEY, Host

DAY = 86400.0


def create(host: Host, number: int, apart: timedelta = timedelta(days=1)) -> list[Path]:
    """Archives, the oldest first."""
    made = []
    for _ in range(number):
        host.clock.now += apart
        made.append(host.service().create().path)
    return made


def kept(host: Host, purpose: str = "backup") -> list[Path]:
    return [named.path for named in reversed(host.service().folder.archives(purpose))]


def test_the_newest_are_kept_by_count(host: Host) -> None:
    made = create(host, 4)
    assert host.service(keep=2).prune() == [made[1], made[0]]
    assert kept(host) == made[2:]
    assert host.events[-1].kind == "backup_pruned"


def test_what_is_too_old_goes(host: Host) -> None:
    made = create(host, 4)
    host.service(keep_age_s=2.5 * DAY).prune()
    assert kept(host) == made[1:]


def test_age_zero_is_any_age(host: Host) -> None:
    made = create(host, 2, timedelta(days=3000))
    host.service(keep_age_s=0.0).prune()
    assert kept(host) == made


def test_the_newest_good_one_stays_however_old(host: Host) -> None:
    made = create(host, 3)
    host.clock.now += timedelta(days=5000)
    host.service(keep=1).prune()
    assert kept(host) == made[-1:]


def test_the_newest_good_one_stays_behind_damaged_ones(host: Host) -> None:
    made = create(host, 4)
    for path in made[2:]:
        path.write_bytes(path.read_bytes()[:-1])
    host.service(keep=1).prune()
    assert kept(host) == [made[1], made[3]]


def test_the_newest_with_a_right_configuration_stays_behind_wrong_ones(host: Host) -> None:
    good = create(host, 1)
    host.configure(more="nonsense = 1\n")
    wrong = create(host, 3)
    host.service(keep=1).prune()
    assert kept(host) == [*good, wrong[-1]]


def test_undo_archives_are_few_and_the_newest_stays(host: Host) -> None:
    create(host, 1)
    for index in range(8):
        host.configure(NEW_KEY if index % 2 else OLD_KEY, more=f"keep = {100 + index}\n")
        host.service().restore()
    host.service().prune()
    assert len(kept(host, "undo")) == 5
    newest = kept(host, "undo")[-1]
    host.clock.now += timedelta(days=5000)
    host.service().prune()
    assert kept(host, "undo") == [newest]


def test_other_files_of_the_folder_are_left_alone(host: Host) -> None:
    create(host, 2)
    others = [host.backups / "notes.txt", host.backups / "ia0-backup-x-99999999T999999.000000Z.tar.gz"]
    for path in others:
        path.write_text("mine")
    host.service(keep=1).prune()
    assert [path.read_text() for path in others] == ["mine", "mine"]


def test_a_scheduled_backup_prunes(host: Host) -> None:
    for _ in range(3):
        host.service(keep=2).backup_now()
    assert len(kept(host)) == 2


def test_where_there_is_no_folder_none_is_made(host: Host) -> None:
    assert list(host.service().prune()) == []
    assert not host.backups.exists()
