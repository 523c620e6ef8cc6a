"""An operator's drain: what waits, what outlives the daemon, and what an undrain does first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ia0_daemon.control import CommandError
from ia0_daemon.errors import EngineRestarting
from ia0_daemon.gate import Gate
from ia0_daemon.settings.schema import Restart, Settings
from ia0_daemon.settings.units import Seconds
from ia0_daemon.supervisor.drain_commands import DrainCommands
from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.operator_drain import Drain, DrainFile
from ia0_daemon.supervisor.remedy import Engine
from ia0_daemon.supervisor.supervisor import Supervisor
from ia0_daemon.supervisor.tell import Answering
from tests.unit.supervisor.restart_fakes import Diary, FakeController, until

HOLD: dict[str, object] = {"hold": True, "reason": "upgrade"}


@dataclass
class Host:
    """One daemon's part in drains; `again` is the daemon of the next start."""

    folder: Path
    answers: bool = True
    warmed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate, self.diary = Gate(8, 30), Diary()
        settings = Settings(restart=Restart(ready_timeout_s=Seconds(1)))
        nobody = cast("Any", SimpleNamespace())
        self.supervisor = Supervisor(
            self.gate,
            FakeController(),
            nobody,
            lambda: Answering(self.answers, 1),
            dict,
            lambda: settings,
            self.diary.record,
        )
        self.engine = Engine(lambda: ["m:1", "m:2"], lambda: self.answers, self.warmed.append)
        file = DrainFile(self.folder / "drain.json")
        self.drains = DrainCommands(self.supervisor, self.gate, self.engine, file, lambda: settings)
        self.drains.recall()

    def again(self) -> Host:
        return Host(self.folder)

    def request(self, *, again: bool = False) -> Callable[[], list[object]]:
        """A request at the gate on a thread of its own; gives its outcome when it is there."""
        outcome: list[object] = []

        def enter() -> None:
            try:
                outcome.append(self.gate.enter(bool, again=again))
            except EngineRestarting as error:
                outcome.append(error)

        threading.Thread(target=enter, daemon=True).start()
        return lambda: outcome


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_requests_wait_while_a_drain_holds_and_pass_when_it_ends(host: Host) -> None:
    assert host.drains.drain(HOLD) == {"in_flight": 0, "restarting": False}
    outcome = host.request()
    until(lambda: host.gate.waiting == 1)
    assert host.gate.closing is not None
    assert host.gate.closing.may_wait
    host.drains.undrain({})
    until(lambda: len(outcome()) == 1)
    assert cast("float", outcome()[0]) > 0
    assert host.diary.details(Kind.UNDRAIN)["waited"] == 1


def test_an_answer_that_the_operators_restart_cut_goes_on_after_the_drain(host: Host) -> None:
    host.gate.enter(bool)
    host.drains.drain(HOLD)
    host.gate.leave()
    outcome = host.request(again=True)
    until(lambda: host.gate.waiting == 1)
    host.drains.undrain({})
    until(lambda: len(outcome()) == 1)


def test_a_drain_that_does_not_hold_refuses(host: Host) -> None:
    host.drains.drain({})
    with pytest.raises(EngineRestarting, match="the operator drains this host"):
        host.gate.enter(bool)


def test_a_drain_outlives_the_daemon_until_it_is_taken_back(host: Host) -> None:
    host.drains.drain(HOLD)
    after = host.again()
    assert after.supervisor.drained is not None
    assert after.supervisor.drained.told() | {"since": ""} == {
        "mode": "hold",
        "since": "",
        "reason": "upgrade",
    }
    assert after.gate.closing is not None
    after.drains.undrain({})
    assert after.warmed == ["m:1", "m:2"]
    assert host.again().supervisor.drained is None


def test_a_file_that_cannot_be_read_means_drained(host: Host, tmp_path: Path) -> None:
    (tmp_path / "drain.json").write_text("{")
    drained = host.again().supervisor.drained
    assert drained is not None
    assert "drain.json cannot be read" in drained.reason


def test_a_drain_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drain.new").mkdir()
    host = Host(tmp_path)
    with pytest.raises(CommandError, match="could not be kept for the daemon's next start"):
        host.drains.drain({})
    assert host.gate.closing is None


def test_an_undrain_waits_for_the_engine_and_warms_what_was_loaded(host: Host) -> None:
    host.drains.drain(HOLD)
    host.answers = False
    done = threading.Thread(target=host.drains.undrain, args=({},))
    done.start()
    host.answers = True
    done.join(30)
    assert host.warmed == ["m:1", "m:2"]
    assert host.diary.details(Kind.UNDRAIN)["warmed"] == ["m:1", "m:2"]
    assert host.gate.closing is None


def test_a_host_whose_engine_does_not_answer_stays_drained(host: Host) -> None:
    host.drains.drain(HOLD)
    host.answers = False
    with pytest.raises(CommandError, match="within 1 s, so this host stays drained"):
        host.drains.undrain({})
    assert host.supervisor.drained is not None
    host.drains.undrain({"now": True})
    assert host.supervisor.drained is None
    assert host.warmed == []


def test_a_second_drain_keeps_the_models_of_the_first(host: Host) -> None:
    host.drains.drain(HOLD)
    host.engine.loaded = list
    host.drains.drain({})
    assert host.supervisor.drained is not None
    assert host.supervisor.drained.loaded == ("m:1", "m:2")


def test_an_undrain_of_a_host_in_service_does_nothing(host: Host) -> None:
    host.drains.undrain({})
    assert host.diary.kinds() == []


def test_a_daemon_that_ends_lets_those_pass_who_wait_and_stays_drained(host: Host, tmp_path: Path) -> None:
    host.drains.drain(HOLD)
    outcome = host.request()
    until(lambda: host.gate.waiting == 1)
    host.answers = False
    host.drains.let_the_waiting_pass()
    assert host.gate.waiting == 1
    host.answers = True
    host.drains.let_the_waiting_pass()
    until(lambda: len(outcome()) == 1)
    assert DrainFile(tmp_path / "drain.json").find() is not None


def test_a_drain_is_told_in_a_sentence() -> None:
    drain = Drain.now(hold=False, reason="new disk", loaded=[])
    assert drain.sentence() == "the operator drains this host (new disk)"
