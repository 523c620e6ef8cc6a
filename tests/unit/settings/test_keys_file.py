"""The keys of ``auth.keys_path``: they count like those of the configuration, and faults name their file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ia0_daemon.keys import EXAMPLE_KEYS, hash_key
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.shown import lines
from tests.unit.settings.conftest import Faults, Load

HASH = hash_key("ia0-" + "x" * 43)
CONFIGURED = f'[[auth.keys]]\nname = "a"\nsha256 = "{HASH}"\n'
CREATED = f'[[keys]]\nname = "b"\nsha256 = "{"0" * 64}"\n'

Put = Callable[[str], str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


@pytest.fixture
def put(path: Path) -> Put:
    """Write the file; gives the lines that name it."""

    def put(content: str) -> str:
        path.write_text(content)
        return f'[auth]\nkeys_path = "{path}"\n'

    return put


def test_they_stand_behind_those_of_the_configuration(load: Load, put: Put) -> None:
    assert [key.name for key in load(put(CREATED) + CONFIGURED).auth.keys] == ["a", "b"]


def test_they_stand_beside_those_of_the_environment(load: Load, put: Put) -> None:
    keys = load(put(CREATED) + CONFIGURED, {"IA0_AUTH__KEYS": f"c:{HASH}"}).auth.keys
    assert [key.name for key in keys] == ["c", "b"]


@pytest.mark.parametrize("content", ["", "# nothing\n", "keys = []"])
def test_a_file_without_keys_is_none(load: Load, put: Put, content: str) -> None:
    assert load(put(content)).auth.keys == ()


def test_a_file_that_is_not_there_is_no_fault(load: Load, put: Put, path: Path) -> None:
    text = put("")
    path.unlink()
    assert load(text).auth.keys == ()


def test_a_created_key_opens_the_way_beyond_loopback(faults: Faults, put: Put) -> None:
    listen = '[server]\nlisten = "0.0.0.0:8080"\n'
    assert set(faults(listen + put(""))) == {"server.listen"}
    assert faults(listen + put(CREATED)) == {}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("= 3", ""),
        ("keys = 3", "keys"),
        ("more = 1", "keys"),
        ('[[keys]]\nname = "b"', "keys[0].sha256"),
        (CREATED + '[[keys]]\nname = "a b"\nsha256 = "0"', "keys[1].name"),
        (CREATED + "admn = true", "keys[0].admn"),
        (CREATED + 'expires = "soon"', "keys[0].expires"),
        (CREATED + 'models = ["nobody"]', "keys[0].models[0]"),
        (CREATED + "requests_per_minute = -1", "keys[0].requests_per_minute"),
        (CREATED.replace("0" * 64, HASH), "keys[0].sha256"),
        (CREATED.replace('"b"', '"a"'), "keys[0].name"),
        (CREATED.replace("0" * 64, min(EXAMPLE_KEYS)), "keys[0].sha256"),
    ],
)
def test_every_fault_names_the_file_and_the_entry(
    faults: Faults, put: Put, path: Path, content: str, key: str
) -> None:
    assert faults(put(content) + CONFIGURED)[key].where.startswith(str(path))


def test_a_broken_file_is_told_alone(faults: Faults, put: Put) -> None:
    """That there is no key follows from it, and would only lead astray."""
    assert set(faults('[server]\nlisten = "0.0.0.0:8080"\n' + put("= 3"))) == {""}


def test_a_fault_of_the_configuration_keeps_its_name(faults: Faults, put: Put) -> None:
    assert "auth.keys[0].expires" in faults(put(CREATED) + CONFIGURED + 'expires = "soon"')


def test_a_folder_in_its_place_is_a_fault(faults: Faults, put: Put, path: Path) -> None:
    text = put("")
    path.unlink()
    path.mkdir()
    assert "is a directory" in faults(text)[""].rule


def test_config_show_names_both_places(file: Path, put: Put, path: Path) -> None:
    file.write_text(put(CREATED) + CONFIGURED)
    shown = {key: (value, origin) for key, value, origin in lines(Source(file, {}).read())}
    assert shown["auth.keys"] == ("[a (hidden), b (hidden)]", f"{file}, {path}")


def test_each_key_knows_where_it_stands(file: Path, put: Put, path: Path) -> None:
    file.write_text(put(CREATED) + CONFIGURED)
    assert Source(file, {}).read().keys_from == {"a": str(file), "b": str(path)}


def test_a_trial_takes_other_tables_in_its_place(file: Path, put: Put) -> None:
    file.write_text(put(CREATED) + CONFIGURED)
    assert [key.name for key in Source(file, {}).trial([]).settings.auth.keys] == ["a"]
    with pytest.raises(ConfigError, match=r"keys\[0\].sha256: is required"):
        Source(file, {}).trial([{"name": "c"}])


def test_the_files_path_is_known_whatever_else_is_wrong(file: Path, put: Put, path: Path) -> None:
    file.write_text("nonsense = 1\n" + put("= 3"))
    assert Source(file, {}).keys_path() == (str(path), str(file))
