"""How a case of bad input is judged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.hosts.refusals.case import Case, faults, read_cases

CASE = Case(name="a mistyped variable", refused=["ollama_contxt_length", "no such variable"])
SAID = '"msg": "ollama_contxt_length: there is no\\n   such variable; correct it in main.yml"'


def test_a_play_that_stops_and_says_why_has_no_fault() -> None:
    assert faults(CASE, 2, SAID, "same\n", "same\n") == []


def test_a_play_that_went_through_is_a_fault() -> None:
    assert faults(CASE, 0, SAID, "", "") == ["the play went through"]


def test_what_was_not_said_is_a_fault() -> None:
    assert faults(CASE, 2, "no such variable", "", "") == ["not said: 'ollama_contxt_length'"]


def test_what_changed_is_a_fault() -> None:
    assert faults(CASE, 2, SAID, "MainPID=1\nsame", "MainPID=2\nsame") == [
        "changed: - MainPID=1",
        "changed: + MainPID=2",
    ]


def test_a_host_that_a_later_play_came_to_is_a_fault() -> None:
    case = Case(name="x", refused=[], left_alone=["gpu2"])
    checks = "PLAY [Check] ***\n\nTASK [Look] ***\nok: [gpu1]\nok: [gpu2]\n\n"
    change = "PLAY [Change] ***\n\nTASK [Install] ***\nfatal: [gpu1]: FAILED! => {}\n"
    recap = "\nPLAY RECAP ***\ngpu2: ok=1\n"
    assert faults(case, 2, checks + change + recap, "", "") == []
    assert faults(case, 2, checks + change + "changed: [gpu2]\n" + recap, "", "") == ["come to: gpu2"]


def test_a_field_that_there_is_not_is_refused(tmp_path: Path) -> None:
    (tmp_path / "role.yml").write_text("- {name: x, refused: [], expected: []}\n")
    with pytest.raises(msgspec.ValidationError, match="expected"):
        list(read_cases(tmp_path))
