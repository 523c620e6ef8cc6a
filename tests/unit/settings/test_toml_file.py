"""A file that is no configuration: why, and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ia0_daemon.settings import toml_file
from ia0_daemon.settings.faults import ConfigError


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        toml_file.read(path)
    (line,) = refused.value.lines()
    return line


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"a = 1\nb = = 2\n", "line 2, column 5: is not TOML: Invalid value"),
        (b"a = 1\na = 2\n", "line 2, column 6: is not TOML"),
        (b"[x]\ny = [1,\n", "line 3, column 1: is not TOML"),
        (b"a = 1\nb = 'caf\xe9'\n", "line 2, column 9: is not UTF-8"),
        (b"a\0b = 1", "line 1, column 2: is not TOML"),
    ],
)
def test_wrong_text_is_told_with_line_and_column(file: Path, content: bytes, place: str) -> None:
    file.write_bytes(content)
    assert f"{file}, {place}" in refusal(file)


def test_a_missing_file_is_told_with_a_way_on(file: Path) -> None:
    assert refusal(file) == f"{file}: there is no such file; `ia0 config example` prints one to start from"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert "is a directory" in refusal(tmp_path)


def test_a_file_below_a_file_cannot_be_read(file: Path) -> None:
    file.touch()
    assert "cannot be read: Not a directory" in refusal(file / "more.toml")


def test_a_file_that_may_not_be_read_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    # Tests may run as root, whom no mode keeps out.
    monkeypatch.setattr(Path, "open", refuse)
    assert "may not be read by this user" in refusal(file)


def test_an_endless_file_is_given_up() -> None:
    assert "larger than 1 MiB" in refusal(Path(os.devnull).with_name("zero"))


@pytest.mark.parametrize("content", ["a = " + "[" * 50_000, "a = " + "1" * 5000])
def test_what_the_parser_cannot_hold_is_told(file: Path, content: str) -> None:
    file.write_text(content)
    assert str(file) in refusal(file)


def test_a_byte_order_mark_is_no_fault(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert toml_file.read(file) == {"a": 1}
