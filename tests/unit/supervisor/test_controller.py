"""Real processes: a restart ends everything of the engine's and starts it anew, or says why it could not."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from ia0_daemon.local_services import manager, processes, spec
from ia0_daemon.local_services.processes import Identity
from ia0_daemon.supervisor.controller import ControllerError, ObserveOnly, ProcessController
from tests.unit.supervisor.restart_fakes import until

# As the engine: a parent with a child.
CODE = "import subprocess, sys; subprocess.call(['sleep', '1000'])"

MakeController = Callable[..., ProcessController]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeController]:
    path = tmp_path / "engine.toml"

    def write(*command: str) -> ProcessController:
        values = {
            "name": "engine",
            "command": list(command) or [sys.executable, "-c", CODE],
            "directory": str(tmp_path),
            "log_path": str(tmp_path / "log"),
            "run_path": str(tmp_path / "run.json"),
        }
        path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
        return ProcessController(path)

    yield write
    manager.stop(spec.load(path))


def marked(folder: Path) -> list[Identity]:
    """The engine's processes; zombies, which nobody reaps in a container, are none."""
    return processes.marked(str(folder / "run.json"))


def test_nothing_runs_before_the_first_start(make: MakeController) -> None:
    assert not make().process().running


def test_a_restart_starts_an_engine_that_is_not_there(make: MakeController) -> None:
    controller = make()
    controller.restart()
    assert controller.process().running
    assert controller.can_restart


def test_a_restart_leaves_no_process_of_the_old_engine(make: MakeController, tmp_path: Path) -> None:
    controller = make()
    controller.restart()
    until(lambda: len(marked(tmp_path)) == 2)
    old = marked(tmp_path)
    controller.restart()
    assert not any(processes.is_alive(each) for each in old)
    assert controller.process().running


def test_a_killed_engine_is_seen_and_its_orphans_go_with_the_restart(
    make: MakeController, tmp_path: Path
) -> None:
    controller = make()
    controller.restart()
    until(lambda: len(marked(tmp_path)) == 2)
    pid = controller.process().pid
    assert pid is not None
    (orphan,) = [each for each in marked(tmp_path) if each.pid != pid]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not controller.process().running)
    controller.restart()
    assert controller.process().running
    assert not processes.is_alive(orphan)


def test_a_stopped_engine_is_restarted_as_well(make: MakeController) -> None:
    controller = make()
    controller._service = _impatient(controller._service)
    controller.restart()
    pid = controller.process().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    controller.restart()
    assert controller.process().pid != pid


def test_an_engine_that_cannot_be_started_is_an_error_that_says_why(make: MakeController) -> None:
    controller = make("/no/such/program")
    with pytest.raises(ControllerError, match="No such file"):
        controller.restart()
    assert not controller.process().running


def test_who_observes_only_refuses() -> None:
    controller = ObserveOnly()
    assert controller.process().running
    with pytest.raises(ControllerError, match="observed only"):
        controller.restart()


def _impatient(service: spec.Service) -> spec.Service:
    return msgspec.structs.replace(service, stop_timeout_s=0.5)
