"""The page about the configuration says what the schema says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ia0_daemon.settings import reference
from ia0_daemon.settings.catalogue import USER_NAMES, as_section, hints, settings
from ia0_daemon.settings.documented import words
from ia0_daemon.settings.schema import (
    Admission,
    Alerts,
    ApiKey,
    Auth,
    Backup,
    Cache,
    Engine,
    Events,
    Limits,
    Log,
    Memory,
    Model,
    Routing,
    Section,
    Server,
    Settings,
    Shared,
)

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_generator_prints() -> None:
    page = PAGE.read_text("utf-8")
    remedy = "run: python -m ia0_daemon.settings.reference docs/configuration.md, and save what it prints"
    assert page == reference.page_with_reference(page), remedy


def test_the_page_names_every_setting_and_every_variable() -> None:
    page = PAGE.read_text("utf-8")
    wanted = [*USER_NAMES, *(name for setting in settings() for name in (setting.key, *setting.variables))]
    assert [name for name in wanted if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    "section",
    [
        Admission,
        Alerts,
        ApiKey,
        Auth,
        Backup,
        Cache,
        Engine,
        Events,
        Limits,
        Log,
        Memory,
        Model,
        Routing,
        Server,
        Settings,
        Shared,
    ],
)
def test_every_setting_has_its_sentence(section: type[Section]) -> None:
    said = words(section)
    assert said.section
    assert set(said.fields) == set(section.__struct_fields__)
    sections = {name for name, hint in hints(section).items() if as_section(hint)}
    assert {name for name, text in said.fields.items() if not text} == sections


def test_the_generator_prints_the_part_behind_the_marker(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["reference"])
    reference.main()
    assert PAGE.read_text("utf-8").endswith(capsys.readouterr().out)


def test_the_generator_keeps_what_is_written_by_hand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["reference", str(PAGE)])
    reference.main()
    assert capsys.readouterr().out == PAGE.read_text("utf-8")
