"""Starting, keeping, reloading and ending real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pytest

from ia0_daemon.local_services import manager, processes, records
from ia0_daemon.local_services.decide import Action
from ia0_daemon.local_services.errors import ReloadError, StartError
from ia0_daemon.local_services.spec import Service
from tests.unit.local_services.conftest import MakeService, until

CHILD_THAT_STAYS = (
    "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "subprocess.Popen(['sleep', '1000'], start_new_session=True); print('up', flush=True); time.sleep(1000)"
)


def alive(service: Service) -> set[int]:
    return {identity.pid for identity in processes.marked(service.run_path)}


def kill(service: Service, pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in alive(service))


def test_a_started_service_is_kept_the_second_time(make_service: MakeService) -> None:
    service = make_service()
    first, second = manager.start(service), manager.start(service)
    assert (first.action, first.changed) == (Action.START, True)
    assert (second.action, second.changed, second.pid) == (Action.KEEP, False, first.pid)
    assert alive(service) == {first.pid}


def test_it_is_nobodys_child_and_leads_a_session_of_its_own(make_service: MakeService) -> None:
    pid = manager.start(make_service()).pid
    assert pid is not None
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert (int(fields[1]) != os.getpid(), int(fields[3])) == (True, pid)


def test_it_has_no_more_environment_than_its_file_gives(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_TOKENS", "7")
    pid = manager.start(make_service(environment={"A": "1"})).pid
    names = {entry.split(b"=")[0] for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
    assert b"A" in names
    assert b"MAX_TOKENS" not in names


def test_a_killed_service_is_started_again(make_service: MakeService) -> None:
    service = make_service()
    first = manager.start(service)
    kill(service, first.pid)
    second = manager.start(service)
    assert (second.action, second.pid == first.pid) == (Action.START, False)


def test_a_changed_command_restarts_it(make_service: MakeService) -> None:
    first, second = manager.start(make_service()), manager.start(make_service(command=("sleep", "2000")))
    assert (second.action, second.why) == (Action.RESTART, ("command changed",))
    assert first.pid != second.pid


def test_a_reload_keeps_the_process(make_service: MakeService, tmp_path: Path) -> None:
    settings, marker = tmp_path / "settings", tmp_path / "reloaded"
    settings.write_text("1")
    service = make_service(reload_on=(str(settings),), reload_command=("touch", str(marker)))
    first, since = manager.start(service), manager.status(service).since
    settings.write_text("2")
    second = manager.start(service)
    assert (second.action, second.pid, marker.exists()) == (Action.RELOAD, first.pid, True)
    assert manager.status(service).since == since
    assert manager.start(service).action is Action.KEEP


def test_a_refused_reload_is_said_and_tried_again(make_service: MakeService, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("1")
    service = make_service(
        reload_on=(str(settings),), reload_command=("sh", "-c", "echo no such level >&2; exit 1")
    )
    manager.start(service)
    settings.write_text("2")
    for _ in range(2):
        with pytest.raises(ReloadError, match="reload refused: no such level"):
            manager.start(service)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(make_service: MakeService) -> None:
    service = make_service()
    assert manager.start(service, dry_run=True).action is Action.START
    assert alive(service) == set()
    manager.start(service)
    assert manager.stop(service, dry_run=True).action is Action.STOP
    assert len(alive(service)) == 1


def test_a_program_that_is_not_there_is_named(make_service: MakeService) -> None:
    with pytest.raises(StartError, match="'/no/program' cannot be started: No such file or directory"):
        manager.start(make_service(command=("/no/program",)))


def test_a_service_that_ends_at_once_shows_its_last_words(python_service: MakeService) -> None:
    service = python_service("raise SystemExit('no such key')", ready_url="http://127.0.0.1:9/")
    with pytest.raises(StartError, match=r"ended by itself[\s\S]*no such key"):
        manager.start(service)


def test_a_service_that_never_answers_is_ended(make_service: MakeService) -> None:
    service = make_service(ready_url="http://127.0.0.1:9/", ready_timeout_s=0.3)
    with pytest.raises(StartError, match=r"did not answer within 0\.3 s"):
        manager.start(service)
    assert alive(service) == set()


def test_a_stop_ends_what_ignores_sigterm_and_what_it_started(python_service: MakeService) -> None:
    service = python_service(CHILD_THAT_STAYS, stop_timeout_s=0.5)
    manager.start(service)
    until(lambda: len(alive(service)) == 2)
    assert manager.stop(service).changed
    assert alive(service) == set()


def test_orphans_of_a_killed_service_are_ended_before_the_next_start(python_service: MakeService) -> None:
    service = python_service(CHILD_THAT_STAYS, stop_timeout_s=0.5)
    first = manager.start(service)
    until(lambda: len(alive(service)) == 2)
    kill(service, first.pid)
    (orphan,) = alive(service)
    second = manager.start(service)
    assert second.why == ("processes without a main process were left",)
    assert orphan not in alive(service)


def test_a_stop_without_a_run_file_still_finds_its_processes(make_service: MakeService) -> None:
    service = make_service()
    manager.start(service)
    Path(service.run_path).unlink()
    assert manager.stop(service).changed
    assert alive(service) == set()


def test_a_second_stop_changes_nothing(make_service: MakeService) -> None:
    service = make_service()
    manager.start(service)
    assert [manager.stop(service).changed for _ in range(2)] == [True, False]


def test_a_reused_pid_is_not_ended(make_service: MakeService, tmp_path: Path) -> None:
    stranger = make_service(run_path=str(tmp_path / "stranger.json"))
    pid = manager.start(stranger).pid
    service = make_service()
    record = records.read(Path(stranger.run_path))
    assert record is not None
    earlier = msgspec.structs.replace(record.identity, start_ticks=1)
    records.write(Path(service.run_path), msgspec.structs.replace(record, identity=earlier))
    assert not manager.stop(service).changed
    assert alive(stranger) == {pid}


def test_folders_that_are_missing_are_made_for_this_user_alone(
    make_service: MakeService, tmp_path: Path
) -> None:
    manager.start(make_service(log_path=f"{tmp_path}/log-folder/log", run_path=f"{tmp_path}/run/run.json"))
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("log-folder", "run")} == {0o700}


def test_status_counts_what_a_killed_service_has_left_behind(python_service: MakeService) -> None:
    service = python_service(CHILD_THAT_STAYS, stop_timeout_s=0.5)
    first = manager.start(service)
    until(lambda: len(alive(service)) == 2)
    kill(service, first.pid)
    found = manager.status(service)
    assert (found.state, found.processes) == ("stopped", 1)


def test_status_says_where_a_service_is_found(make_service: MakeService) -> None:
    service = make_service()
    manager.start(service)
    assert manager.status(service).address == ""
    told = msgspec.structs.replace(service, ready_url="http://127.0.0.1:9/health/live")
    assert manager.status(told).address == "http://127.0.0.1:9"
    told = msgspec.structs.replace(told, address="http://127.0.0.1:8")
    assert manager.status(told).address == "http://127.0.0.1:8"


def test_status_says_what_runs(make_service: MakeService) -> None:
    service = make_service()
    assert manager.status(service).state == "stopped"
    pid = manager.start(service).pid
    found = manager.status(service)
    assert (found.state, found.pid, found.processes) == ("running", pid, 1)
    unheard = manager.status(msgspec.structs.replace(service, ready_url="http://127.0.0.1:9/"))
    assert unheard.state == "not answering"
