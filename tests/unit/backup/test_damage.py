"""Every kind of damage and every foreign archive is refused before a restore touches anything."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from ia0_daemon.backup import archive_read
from ia0_daemon.backup.archive_write import GZIP_HEADER
from ia0_daemon.backup.errors import BackupError, ForeignArchive
from ia0_daemon.backup.plan import Wishes
from tests.unit.backup.conftest import NEW_KEY, Host
from tests.unit.backup.damages import DAMAGES, gzipped, packed, unpacked


@pytest.mark.parametrize("name", DAMAGES)
def test_it_is_refused_before_anything_is_touched(host: Host, name: str) -> None:
    damage, error, words = DAMAGES[name]
    made = host.service().create()
    made.path.write_bytes(damage(made.path.read_bytes()))
    host.configure(NEW_KEY)
    before = host.snapshot()
    with pytest.raises(error, match=words):
        host.service().restore(str(made.path))
    assert host.snapshot() == before
    assert list(host.backups.glob("ia0-undo-*")) == []
    assert host.events.kinds == ["backup_made", "restore_failed"]


def test_a_whole_archive_is_not_refused(host: Host) -> None:
    """The table's tools change nothing by themselves: what is unpacked and packed again is whole."""
    made = host.service().create()
    made.path.write_bytes(packed(unpacked(made.path.read_bytes())))
    host.configure(NEW_KEY)
    assert host.service().restore().put == (str(host.config),)


def test_no_flipped_bit_changes_what_is_read(host: Host) -> None:
    """Every byte of a small archive, one bit each. A few bits of deflate mean nothing: those may pass."""
    host.engine.models = {}
    host.history.unlink()
    archive = host.service().create().path.read_bytes()
    path = host.root / "flipped"
    plain, passed = gzip.decompress(archive), 0
    for index in range(len(archive)):
        flipped = archive[:index] + bytes([archive[index] ^ (1 << index % 8)]) + archive[index + 1 :]
        path.write_bytes(flipped)
        try:
            archive_read.verify(path, 2**20)
        except BackupError:
            continue
        passed += 1
        assert gzip.decompress(flipped) == plain
    assert passed < len(archive) / 100


def test_no_length_but_the_whole_passes(host: Host) -> None:
    archive = host.service().create().path.read_bytes()
    path = host.root / "cut"
    for length in range(0, len(archive), 7):
        path.write_bytes(archive[:length])
        with pytest.raises(BackupError):
            archive_read.verify(path, 2**20)


def test_an_archive_that_unpacks_without_end_is_refused(host: Host) -> None:
    path = host.root / "bomb"
    path.write_bytes(gzipped(bytes(80 * 2**20)))
    with pytest.raises(ForeignArchive, match="unpacks to more than"):
        archive_read.verify(path, 2**20)


def test_a_fifo_in_the_place_of_an_archive_does_not_hold_the_caller(host: Host) -> None:
    os.mkfifo(host.root / "pipe")
    with pytest.raises(BackupError, match="no plain file"):
        archive_read.verify(host.root / "pipe", 2**20)


def test_an_archive_that_is_not_there_is_said(host: Host) -> None:
    with pytest.raises(BackupError, match="No such file"):
        host.service().verify(str(host.root / "none.tar.gz"))


def test_another_hosts_archive_is_restored_by_force(host: Host) -> None:
    host.service().create()
    host.configure(NEW_KEY)
    host.name = "gpu-b"
    assert host.service().restore(wishes=Wishes(force_host=True)).put == (str(host.config),)


def test_the_header_is_what_gzip_writes(host: Host) -> None:
    assert host.service().create().path.read_bytes()[:10] == GZIP_HEADER


def test_a_path_is_not_taken_for_a_name(host: Host, tmp_path: Path) -> None:
    made = host.service().create()
    assert host.service().verify(made.path.name).path == made.path
