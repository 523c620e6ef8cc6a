"""What systemctl says of a unit, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ia0_daemon.systemd.unit import Ran, Unit, UnitError, UnitForbidden, parse, run_program
from tests.unit.systemd.shown import shown


class Program:
    """In systemctl's place: keeps what it was asked, and says what the test wants."""

    def __init__(self, code: int = 0, out: str = "", err: str = "") -> None:
        self.ran, self.asked = Ran(code, out, err), [""]

    def __call__(self, command: Sequence[str], timeout_s: float) -> Ran:
        self.asked.append(" ".join(command))
        return self.ran


def test_a_running_unit_is_read() -> None:
    program = Program(out=shown(MainPID="77", MemoryCurrent="4096", MemoryMax="8192", NRestarts="2"))
    state = Unit("ollama.service", program).show()
    assert (state.pid, state.active, state.sub, state.restarts) == (77, "active", "running", 2)
    assert (state.memory_current, state.memory_max, state.memory_high) == (4096, 8192, None)
    assert program.asked[-1].startswith("systemctl show --property=LoadState,")
    assert program.asked[-1].endswith(" -- ollama.service")


@pytest.mark.parametrize("none", ["infinity", "[not set]", "18446744073709551615", ""])
def test_no_limit_is_none_in_each_of_its_spellings(none: str) -> None:
    assert parse(shown(MemoryMax=none)).memory_max is None


@pytest.mark.parametrize("text", ["", "LoadState=loaded\n", shown(MainPID="many"), shown(MemoryMax="8G")])
def test_what_cannot_be_read_is_an_error_and_no_guess(text: str) -> None:
    with pytest.raises(UnitError, match="cannot be read"):
        parse(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Result": "signal", "ExecMainCode": "2", "ExecMainStatus": "9"}, "was killed by signal 9"),
        ({"Result": "core-dump", "ExecMainCode": "3", "ExecMainStatus": "6"}, "signal 6, with a core dump"),
        ({"Result": "exit-code", "ExecMainCode": "1", "ExecMainStatus": "3"}, "exited with code 3"),
        ({"Result": "oom-kill", "ExecMainCode": "2", "ExecMainStatus": "9"}, "for want of memory"),
        ({"Result": "watchdog", "ExecMainCode": "2", "ExecMainStatus": "6"}, "signal 6 (watchdog)"),
        ({"Result": "start-limit-hit", "ExecMainCode": "1", "ExecMainStatus": "1"}, "(start-limit-hit)"),
        ({"Result": "timeout"}, "ended: timeout"),
        ({}, ""),
    ],
)
def test_its_last_end_is_told_in_words(changes: dict[str, str], said: str) -> None:
    assert said in parse(shown(**changes)).end()


@pytest.mark.parametrize(
    "err",
    [
        "Failed to restart ollama.service: Interactive authentication required.",
        "Failed to restart ollama.service: Access denied",
    ],
)
def test_a_refusal_of_polkit_names_the_rule_that_lacks(err: str) -> None:
    with pytest.raises(UnitForbidden) as caught:
        Unit("ollama.service", Program(1, err=err)).restart()
    assert "restart ollama.service" in str(caught.value)
    assert "/etc/polkit-1/rules.d/50-ia0.rules" in str(caught.value)


@pytest.mark.parametrize(
    ("err", "said"),
    [
        ("Failed to restart ollama.service: Unit ollama.service is masked.", "systemctl unmask"),
        ("Failed to restart ollama.service: Unit ollama.service not found.", "systemd knows no"),
    ],
)
def test_what_nobody_can_start_is_no_matter_of_trying_again(err: str, said: str) -> None:
    with pytest.raises(UnitForbidden, match=said):
        Unit("ollama.service", Program(1, err=err)).restart()


def test_another_failure_is_told_as_it_is() -> None:
    with pytest.raises(UnitError, match=r"restart ollama\.service failed: Job for it failed"):
        Unit("ollama.service", Program(1, err="Job for it\nfailed")).restart()


def test_the_last_lines_of_the_journal_are_given() -> None:
    program = Program(out="one\ntwo\nthree\n")
    assert Unit("ollama.service", program).journal(2) == ["two", "three"]
    assert "--unit=ollama.service --lines=2" in program.asked[-1]


def test_an_empty_journal_says_what_may_be_the_reason() -> None:
    assert "group systemd-journal" in Unit("ollama.service", Program()).journal(2)[0]


def test_a_program_that_hangs_is_given_up() -> None:
    with pytest.raises(UnitError, match=r"sleep 5 did not end within 0\.1 s"):
        run_program(("sleep", "5"), 0.1)


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(UnitError, match="no-such-program cannot be run: No such file"):
        run_program(("no-such-program",), 1)


def test_a_programs_words_and_code_arrive() -> None:
    assert run_program(("sh", "-c", "echo out; echo err >&2; exit 3"), 5) == Ran(3, "out\n", "err\n")
