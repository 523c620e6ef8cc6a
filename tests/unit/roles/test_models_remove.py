"""A model that is not wanted goes through the engine, and only where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.models_modules import folder, load

remove = load("library/models_remove.py")

TAG = "tiny:1"
Run = Callable[..., dict[str, Any]]


class Ended(Exception):
    """What a module says at its end."""

    def __init__(self, **said: Any) -> None:
        super().__init__(said)
        self.said = said


class Module:
    """Stands in for Ansible's side of a module."""

    def __init__(self, path: Path, *, check_mode: bool) -> None:
        self.params = {"engine_url": "http://127.0.0.1:9", "path": str(path), "tag": TAG}
        self.check_mode = check_mode

    def exit_json(self, **said: Any) -> None:
        raise Ended(**said)

    def fail_json(self, **said: Any) -> None:
        raise Ended(failed=True, **said)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path: Path = folder.manifest_file(str(tmp_path), TAG)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the module beside an engine that removes what it `knows`; gives what it said, and `asked`."""

    def run(*, knows: bool = True, check_mode: bool = False) -> dict[str, Any]:
        asked: list[str] = []

        class Engine:
            def __init__(self, url: str) -> None:
                pass

            def delete(self, tag: str) -> None:
                asked.append(tag)
                if knows:
                    folder.manifest_file(str(tmp_path), tag).unlink()

        module = Module(tmp_path, check_mode=check_mode)
        monkeypatch.setattr(remove, "Engine", Engine)
        monkeypatch.setattr(remove, "AnsibleModule", lambda *_, **__: module)
        with pytest.raises(Ended) as ended:
            remove.main()
        return ended.value.said | {"asked": asked}

    return run


def test_a_model_that_is_there_is_removed_by_the_engine(run: Run, manifest: Path) -> None:
    assert run() == {"changed": True, "asked": [TAG]}
    assert not manifest.exists()


def test_a_second_run_asks_nobody_and_changes_nothing(run: Run) -> None:
    assert run() == {"changed": False, "asked": []}


def test_check_mode_only_tells(run: Run, manifest: Path) -> None:
    assert run(check_mode=True) == {"changed": True, "asked": []}
    assert manifest.exists()


def test_an_engine_that_does_not_know_what_lies_there_is_an_error(run: Run, manifest: Path) -> None:
    said = run(knows=False)
    assert said["failed"]
    assert f"{manifest} is there" in said["msg"]
