"""`ia0 drain`, `ia0 undrain` and `ia0 status --ready` as a playbook uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ia0_daemon.cli import main
from ia0_daemon.control import Args, CommandError, ControlServer


class Daemon:
    """What answers at the socket: `left` answers are under way, one less at each look."""

    def __init__(self, path: Path) -> None:
        self.path, self.asked = path, list[tuple[str, Args]]()
        self.left, self.ready, self.engine_answers = 0, True, True

    def commands(self) -> dict[str, Any]:
        return {
            "drain": lambda args: self._note("drain", args, self._under_way()),
            "under_way": lambda args: self._note("under_way", args, self._under_way()),
            "undrain": self._undrain,
            "status": lambda _: {"ready": self.ready},
        }

    def _under_way(self) -> dict[str, object]:
        self.left = max(0, self.left - 1)
        return {"in_flight": self.left, "restarting": False}

    def _note(self, command: str, args: Args, answer: object) -> object:
        self.asked.append((command, args))
        return answer

    def _undrain(self, args: Args) -> object:
        if not self.engine_answers:
            raise CommandError("the engine did not answer", ["see to it"])
        return self._note("undrain", args, {})

    def run(self, *args: str) -> Result:
        return CliRunner().invoke(main, [*args, "--socket", str(self.path)])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "ia0.sock")
    server = ControlServer(made.path, made.commands())
    server.start()
    yield made
    server.stop()


def test_a_drain_holds_where_it_is_said_so(daemon: Daemon) -> None:
    result = daemon.run("drain", "--hold", "--reason", "upgrade")
    assert result.stdout == "in_flight: 0\nrestarting: false\n"
    assert daemon.asked == [("drain", {"hold": True, "reason": "upgrade"})]


def test_a_drain_waits_until_the_last_answer_is_out(daemon: Daemon) -> None:
    daemon.left = 4
    assert daemon.run("drain", "--wait", "30").stdout.startswith("in_flight: 0\n")
    assert [command for command, _ in daemon.asked] == ["drain", "under_way", "under_way", "under_way"]


def test_a_drain_waits_no_longer_than_it_may_and_tells_what_is_left(daemon: Daemon) -> None:
    daemon.left = 1000
    result = daemon.run("drain", "--wait", "0.3")
    assert result.exit_code == 0
    assert "in_flight: 99" in result.stdout


def test_a_host_that_stays_drained_is_a_failure(daemon: Daemon) -> None:
    daemon.engine_answers = False
    result = daemon.run("undrain")
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        ["undrain: the engine did not answer", "  see to it"],
    )


def test_an_undrain_can_be_had_at_once(daemon: Daemon) -> None:
    assert daemon.run("undrain", "--now").exit_code == 0
    assert daemon.asked == [("undrain", {"now": True})]


@pytest.mark.parametrize(("ready", "code"), [(True, 0), (False, 1)])
def test_status_tells_by_its_code_whether_requests_are_answered(
    daemon: Daemon, ready: bool, code: int
) -> None:
    daemon.ready = ready
    assert daemon.run("status", "--ready").exit_code == code
    assert daemon.run("status").exit_code == 0
