"""The rules of the section `backup`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.schema import Settings


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "ia0.toml"
    path.write_text(f"[backup]\n{text}\n")
    return Source(path, {}).load()


def test_an_interval_of_zero_turns_backups_off(tmp_path: Path) -> None:
    assert load(tmp_path, "interval_s = 0").backup.interval_s == 0


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('path = "backups"', "backup.path"),
        ('path = ""', "backup.path"),
        ('path = "/srv/../etc"', "backup.path"),
        ('engine_path = "ollama"', "backup.engine_path"),
        ('include = ["/etc/hosts", "more"]', "backup.include[1]"),
        ('include = ["/var/lib"]', "backup.include[0]"),
        ('include = ["/var/lib/ia0/backups/old"]', "backup.include[0]"),
        ("keep = 0", "backup.keep"),
        ('interval_s = "-1h"', "backup.interval_s"),
        ('max_bytes = "1KiB"', "backup.max_bytes"),
    ],
)
def test_a_wrong_value_is_refused(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert {fault.key for fault in error.value.faults} == {key}
