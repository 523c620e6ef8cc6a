"""A change of what a service depends on is noticed; any other is not."""

from __future__ import annotations

from pathlib import Path

from ia0_daemon.local_services.fingerprints import changed, take
from tests.unit.local_services.conftest import MakeService


def test_a_changed_file_differs_and_an_untouched_one_does_not(
    make_service: MakeService, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("1")
    service = make_service(restart_on=(f"{tmp_path}/*.py", f"{tmp_path}/none"))
    before = take(service)
    (tmp_path / "a.py").write_text("2")
    assert changed(before.restart, take(service).restart) == (f"{tmp_path}/*.py",)


def test_a_new_file_below_the_folder_differs(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service(restart_on=(f"{tmp_path}/**/*.py",))
    before = take(service)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "new.py").write_text("")
    assert take(service) != before


def test_an_ignored_file_does_not_count(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service(restart_on=(f"{tmp_path}/**/*.py",), ignore=(f"{tmp_path}/embedded/*",))
    before = take(service)
    (tmp_path / "embedded").mkdir()
    (tmp_path / "embedded" / "new.py").write_text("")
    assert take(service) == before


def test_only_the_named_table_of_a_toml_file_counts(make_service: MakeService, tmp_path: Path) -> None:
    file = tmp_path / "ia0.toml"
    file.write_text("[server]\nport = 1\n[log]\nlevel = 'INFO'\n")
    service = make_service(restart_on=(f"{file}#server",), reload_on=(str(file),))
    before = take(service)
    file.write_text("[server]\nport = 1\n[log]\nlevel = 'DEBUG'\n")
    after = take(service)
    assert (before.restart == after.restart, before.reload == after.reload) == (True, False)


def test_command_and_environment_count(make_service: MakeService) -> None:
    before, after = take(make_service()), take(make_service(environment={"A": "1"}, command=("sleep", "2")))
    assert changed(before.restart, after.restart) == ("command", "environment")
