"""The run file is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ia0_daemon.local_services import records
from ia0_daemon.local_services.fingerprints import Fingerprint
from ia0_daemon.local_services.processes import Identity
from ia0_daemon.local_services.records import Record

RECORD = Record(
    name="engine",
    identity=Identity(pid=1, start_ticks=2, boot_id="b"),
    fingerprint=Fingerprint(restart={"command": "1"}, reload={}),
    started_at="2026-01-01T00:00:00+00:00",
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    records.write(tmp_path / "run.json", RECORD)
    assert records.read(tmp_path / "run.json") == RECORD
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("content", ["", "{", '{"pid": 12}', "\x00"])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    assert records.read(tmp_path / "run.json") is None


def test_no_file_is_none_and_can_be_forgotten(tmp_path: Path) -> None:
    records.forget(tmp_path / "run.json")
    assert records.read(tmp_path / "run.json") is None
