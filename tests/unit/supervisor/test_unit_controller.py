"""What the states of the engine's unit mean for the supervisor, and what a restart of it does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ia0_daemon.supervisor import unit_controller
from ia0_daemon.supervisor.controller import ControllerError, HopelessError
from ia0_daemon.supervisor.read_limit import Limit
from ia0_daemon.supervisor.read_unit import UnitReader
from ia0_daemon.supervisor.unit_controller import UnitController, process_of
from ia0_daemon.systemd.unit import Ran, Unit, parse
from tests.unit.systemd.shown import shown

DEAD = {"MainPID": "0", "Result": "signal", "ExecMainCode": "2", "ExecMainStatus": "9"}
COMING_BACK = {**DEAD, "ActiveState": "activating", "SubState": "auto-restart"}
LIMIT_HIT = {**DEAD, "ActiveState": "failed", "SubState": "failed", "Result": "start-limit-hit"}


@dataclass
class Systemd:
    """Answers for one unit, and keeps what it was told to do."""

    shows: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    """Verb -> what is said on standard error."""
    done: list[str] = field(default_factory=list)
    questions: int = 0

    def __call__(self, command: Sequence[str], timeout_s: float) -> Ran:
        if command[0] == "journalctl":
            return Ran(0, "its last words\n", "")
        if command[1] == "show":
            self.questions += 1
            return Ran(1, "", "no bus") if "show" in self.refuses else Ran(0, shown(**self.shows), "")
        verb = command[2]
        self.done.append(verb)
        return Ran(1, "", self.refuses[verb]) if verb in self.refuses else Ran(0, "", "")


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    monkeypatch.setattr(unit_controller, "BELIEVED_S", 0.0)
    return Systemd()


@pytest.fixture
def controller(systemd: Systemd) -> UnitController:
    return UnitController(Unit("ollama.service", systemd))


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_systemd_is_asked_once_while_the_process_lives(systemd: Systemd, controller: UnitController) -> None:
    systemd.shows["MainPID"] = str(os.getpid())
    for _ in range(5):
        found = controller.process()
        assert (found.pid, found.running, found.news) == (os.getpid(), True, "")
    assert systemd.questions == 1


@pytest.mark.parametrize(
    ("changes", "runs", "words"),
    [
        (COMING_BACK, False, "ollama.service: was killed by signal 9"),
        (LIMIT_HIT, False, "start-limit-hit"),
        ({**DEAD, "ActiveState": "failed", "Result": "exit-code"}, False, "ollama.service:"),
        ({"MainPID": "0", "LoadState": "masked", "ActiveState": "inactive"}, False, "systemctl unmask"),
        ({"MainPID": "0", "LoadState": "not-found", "ActiveState": "inactive"}, False, "restart.engine_unit"),
        ({"MainPID": "0", "ActiveState": "activating", "SubState": "start-pre"}, True, "systemd is starting"),
        ({"MainPID": "0", "ActiveState": "deactivating", "SubState": "stop-post"}, True, "is stopping"),
        ({"MainPID": "0", "ActiveState": "inactive", "SubState": "dead"}, True, "was stopped by systemctl"),
        ({**DEAD, "ActiveState": "inactive", "Result": "signal"}, True, "was stopped by systemctl"),
    ],
)
def test_each_state_of_a_unit_without_a_process_has_its_meaning(
    changes: dict[str, str], runs: bool, words: str
) -> None:
    found = process_of("ollama.service", parse(shown(**changes)))
    assert (found.pid, found.running) == (None, runs)
    assert words in (found.left_alone if runs else found.ended)


def test_a_systemd_that_does_not_answer_is_no_crash(systemd: Systemd, controller: UnitController) -> None:
    systemd.refuses["show"] = "no bus"
    found = controller.process()
    assert found.running
    assert "systemd does not say" in found.left_alone


def test_a_restart_restarts_the_unit(systemd: Systemd, controller: UnitController) -> None:
    controller.restart()
    assert systemd.done == ["restart"]


def test_a_limit_of_starts_is_lifted_first(systemd: Systemd, controller: UnitController) -> None:
    systemd.shows = dict(LIMIT_HIT)
    controller.process()
    controller.restart()
    assert systemd.done == ["reset-failed", "restart"]


def test_what_systemd_has_brought_back_meanwhile_is_not_restarted_again(
    systemd: Systemd, controller: UnitController
) -> None:
    systemd.shows = dict(COMING_BACK)
    assert not controller.process().running
    systemd.shows = {"InvocationID": "another", "MainPID": str(os.getpid())}
    controller.restart()
    assert systemd.done == []


def test_what_systemd_would_bring_back_later_is_started_now(
    systemd: Systemd, controller: UnitController
) -> None:
    systemd.shows = dict(COMING_BACK)
    controller.process()
    controller.restart()
    assert systemd.done == ["restart"]


@pytest.mark.parametrize("load", ["masked", "not-found", "bad-setting"])
def test_what_cannot_be_started_is_hopeless(systemd: Systemd, controller: UnitController, load: str) -> None:
    systemd.shows = {"LoadState": load, "MainPID": "0"}
    with pytest.raises(HopelessError, match=r"ollama\.service cannot be started"):
        controller.restart()
    assert systemd.done == []


def test_a_refusal_by_polkit_is_hopeless(systemd: Systemd, controller: UnitController) -> None:
    systemd.refuses["restart"] = "Failed to restart ollama.service: Interactive authentication required."
    with pytest.raises(HopelessError, match=r"50-ia0\.rules"):
        controller.restart()


def test_another_failure_tells_the_journals_end(systemd: Systemd, controller: UnitController) -> None:
    systemd.refuses["restart"] = "Job for ollama.service failed."
    with pytest.raises(ControllerError, match=r"Job for ollama\.service failed") as caught:
        controller.restart()
    assert not isinstance(caught.value, HopelessError)
    assert str(caught.value).endswith("its last words")


def test_the_last_end_is_told_with_the_journal(systemd: Systemd, controller: UnitController) -> None:
    systemd.shows = dict(COMING_BACK)
    controller.process()
    told = controller.post_mortem()
    assert told["ended"] == "was killed by signal 9"
    assert told["journal"] == ["its last words"]
    assert told["unit_state"] == "activating (auto-restart)"


@pytest.mark.parametrize(
    ("restarts", "news"),
    [("1", "ended and systemd has brought it back"), ("0", "was restarted by somebody else")],
)
def test_another_process_than_before_is_news_once(
    systemd: Systemd,
    controller: UnitController,
    child: subprocess.Popen[bytes],
    restarts: str,
    news: str,
) -> None:
    systemd.shows["MainPID"] = str(child.pid)
    controller.process()
    child.kill()
    child.wait()
    systemd.shows |= {"MainPID": str(os.getpid()), "NRestarts": restarts}
    assert news in controller.process().news
    assert controller.process().news == ""


def test_a_restart_of_our_own_is_no_news(
    systemd: Systemd, controller: UnitController, child: subprocess.Popen[bytes]
) -> None:
    systemd.shows["MainPID"] = str(child.pid)
    controller.process()
    controller.restart()
    child.kill()
    child.wait()
    systemd.shows["MainPID"] = str(os.getpid())
    assert controller.process().news == ""


def test_the_units_limit_is_the_lower_of_its_two(systemd: Systemd, controller: UnitController) -> None:
    systemd.shows = {"MemoryMax": "1000", "MemoryHigh": "900", "MemoryCurrent": "800"}
    reader = UnitReader(controller)
    assert reader.limit(400) == Limit(900, 400, "MemoryHigh of ollama.service", 500)
    # What is in swap counts as held, and not against the limit.
    assert reader.limit(5000) == Limit(900, 800, "MemoryHigh of ollama.service", 100)


def test_systemd_is_asked_at_every_sample_only_near_a_limit(
    systemd: Systemd, controller: UnitController
) -> None:
    reader = UnitReader(controller)
    assert [reader.limit(1) for _ in range(5)] == [None] * 5
    assert systemd.questions == 1
    systemd.shows["MemoryMax"] = "1000"
    controller.state(0)
    for held in (100, 100, 100):
        reader.limit(held)
    assert systemd.questions == 2
    for held in (600, 600):
        reader.limit(held)
    assert systemd.questions == 4


@pytest.mark.parametrize(
    ("kind", "root"), [("cgroup2 cgroup2 rw", "/"), ("cgroup cgroup rw,name=systemd", "/machine.slice/c1")]
)
def test_the_units_processes_are_those_of_its_cgroup_on_both_versions(
    tmp_path: Path, systemd: Systemd, kind: str, root: str
) -> None:
    mount = tmp_path / "cgroup"
    folder = mount / "system.slice" / "ollama.service"
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").write_text("12\n0\n13\n")
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(f"30 23 0:26 {root} {mount} rw,nosuid - {kind}\n")
    systemd.shows["ControlGroup"] = f"{root.rstrip('/')}/system.slice/ollama.service"
    controller = UnitController(Unit("ollama.service", systemd), tmp_path)
    controller.process()
    assert UnitReader(controller, tmp_path).pids() == [12, 13]
