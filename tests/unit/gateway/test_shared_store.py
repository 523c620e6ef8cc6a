"""Where the shared store is: its address, from the setting or from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ia0_daemon.gateway.shared_store import address
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.schema import Shared


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "url"


def test_without_a_store_there_is_no_address() -> None:
    assert address(Shared()) == ""


def test_the_setting_is_taken_as_it_is() -> None:
    assert address(Shared(url="valkey://h:1/2")) == "valkey://h:1/2"


def test_a_file_holds_it_in_a_line(path: Path) -> None:
    path.write_text("rediss://:hush@h:1/2\n")
    assert address(Shared(url_file=str(path))) == "rediss://:hush@h:1/2"


@pytest.mark.parametrize("content", [b"", b"http://hush@h", b"redis://", b"\xff"])
def test_a_file_without_one_is_a_fault_that_shows_nothing_of_it(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        address(Shared(url_file=str(path)))
    assert str(refused.value).startswith(f"shared.url_file: '{path}' ")
    assert "hush" not in str(refused.value)


def test_a_file_that_is_not_there_is_a_fault(path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        address(Shared(url_file=str(path)))
