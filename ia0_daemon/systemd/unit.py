"""One service unit of systemd: its state, its last end, its journal, and what may be done to it.

    Unit(name) -> show() -> UnitState;   restart(), reset_failed(), start();   journal()

Owns the questions to systemctl and journalctl and their answers' form. Each has
a time limit of its own. Never decides anything; a refusal by polkit says which
rule is missing.
"""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# systemd answers in milliseconds, unless the machine is in trouble; in seconds.
ASK_TIMEOUT_S = 5.0
# Beyond systemd's own bounds of a stop and a start (DefaultTimeoutStopSec and ...StartSec, 90 s each).
ACT_TIMEOUT_S = 200.0
POLKIT_RULE = "/etc/polkit-1/rules.d/50-ia0.rules"

_PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "MainPID", "Result", "ExecMainCode", "ExecMainStatus",
    "InvocationID", "ControlGroup", "MemoryCurrent", "MemoryMax", "MemoryHigh", "NRestarts",
)  # fmt: skip
# CLD_* of siginfo.h, as ExecMainCode tells them.
_EXITED, _KILLED, _DUMPED = 1, 2, 3
# What systemd writes for "none": UINT64_MAX, too, in properties of older versions.
_NO_NUMBER = 2**63
_REFUSED = ("authentication required", "access denied", "not authorized", "permission denied")

Run = Callable[[Sequence[str], float], "Ran"]


class UnitError(Exception):
    """systemd did not do it, or did not say; the text says why."""


class UnitForbidden(UnitError):
    """polkit refuses, or the unit cannot be started at all: trying again changes nothing."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd says of a unit. Sizes in bytes, None where there is no limit or no figure."""

    load: str
    """`loaded`, `not-found`, `masked`, ..."""
    active: str
    """`active`, `activating`, `deactivating`, `inactive`, `failed`, ..."""
    sub: str
    """More exactly: `running`, `start-pre`, `auto-restart`, ..."""
    pid: int | None
    result: str
    """How it last ended: `success`, `exit-code`, `signal`, `oom-kill`, `watchdog`, `start-limit-hit`, ..."""
    exit_code: int
    exit_status: int
    invocation: str
    """Another one for each start."""
    control_group: str
    memory_current: int | None
    memory_max: int | None
    memory_high: int | None
    restarts: int
    """How often systemd itself has restarted it."""

    def end(self) -> str:
        """Tell how its main process last ended, for a person; empty where that is not known."""
        if self.result == "oom-kill":
            return "was killed for want of memory (oom-kill)"
        if self.exit_code in (_KILLED, _DUMPED):
            core = ", with a core dump" if self.exit_code == _DUMPED else ""
            return f"was killed by signal {self.exit_status}{core}{self._result()}"
        if self.exit_code == _EXITED:
            return f"exited with code {self.exit_status}{self._result()}"
        return f"ended: {self.result}" if self.result != "success" else ""

    def _result(self) -> str:
        return "" if self.result in ("success", "signal", "exit-code", "core-dump") else f" ({self.result})"


class Unit:
    """A unit by its name. Safe to use from many threads: it remembers nothing."""

    def __init__(self, name: str, run: Run | None = None) -> None:
        self.name = name
        self._run = run or run_program

    def show(self) -> UnitState:
        """Ask for its state; one that systemd does not know has `load` `not-found`."""
        command = ("systemctl", "show", f"--property={','.join(_PROPERTIES)}", "--", self.name)
        ran = self._run(command, ASK_TIMEOUT_S)
        if ran.code != 0:
            raise UnitError(f"systemctl show {self.name} failed: {_said(ran)}")
        return parse(ran.out)

    def restart(self) -> None:
        """Stop what is left of it and start it; returns when it has started."""
        self._act("restart")

    def start(self) -> None:
        """Start it; of a oneshot: returns when it has ended well."""
        self._act("start")

    def reset_failed(self) -> None:
        """Forget its failures, so that a limit of starts no longer holds."""
        self._act("reset-failed")

    def journal(self, lines: int) -> list[str]:
        """Give the last lines of its journal; says so where this user may not read it."""
        command = (
            "journalctl", f"--unit={self.name}", f"--lines={lines}", "--output=cat", "--no-pager", "--quiet",
        )  # fmt: skip
        try:
            ran = self._run(command, ASK_TIMEOUT_S)
        except UnitError as error:
            return [f"(not read: {error})"]
        found = ran.out.splitlines()[-lines:]
        return found or ["(empty, or the daemon's user is not in the group systemd-journal)"]

    def _act(self, verb: str) -> None:
        ran = self._run(("systemctl", "--no-ask-password", verb, "--", self.name), ACT_TIMEOUT_S)
        if ran.code == 0:
            return
        said = _said(ran)
        if any(word in said.lower() for word in _REFUSED):
            raise UnitForbidden(
                f"systemd does not let the user {getpass.getuser()} {verb} {self.name} ({said}); "
                f"the rule {POLKIT_RULE} allows it: is it there, and is polkit running?"
            )
        if "masked" in said:
            raise UnitForbidden(
                f"{self.name} is masked, so nobody can {verb} it: `systemctl unmask {self.name}`"
            )
        if "not found" in said or "not loaded" in said:
            raise UnitForbidden(f"systemd knows no {self.name}: {said}")
        raise UnitError(f"systemctl {verb} {self.name} failed: {said}")


def parse(text: str) -> UnitState:
    """Read `systemctl show`; UnitError where something is missing or is not what it should be."""
    values = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    try:
        return UnitState(
            load=values["LoadState"],
            active=values["ActiveState"],
            sub=values["SubState"],
            pid=int(values["MainPID"]) or None,
            result=values["Result"],
            exit_code=int(values["ExecMainCode"]),
            exit_status=int(values["ExecMainStatus"]),
            invocation=values["InvocationID"],
            control_group=values["ControlGroup"],
            memory_current=_size(values["MemoryCurrent"]),
            memory_max=_size(values["MemoryMax"]),
            memory_high=_size(values["MemoryHigh"]),
            restarts=int(values["NRestarts"]),
        )
    except (KeyError, ValueError) as error:
        raise UnitError(f"systemctl show said something that cannot be read: {error!r}") from None


def _size(text: str) -> int | None:
    if text in ("infinity", "[not set]", ""):
        return None
    number = int(text)
    return number if number < _NO_NUMBER else None


def run_program(command: Sequence[str], timeout_s: float) -> Ran:
    """Run a program without a shell; UnitError where it is not there or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603  # our own words, and a unit's name that settings have checked
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
        )
    except subprocess.TimeoutExpired:
        raise UnitError(f"{' '.join(command[:2])} did not end within {timeout_s:g} s") from None
    except OSError as error:
        raise UnitError(f"{command[0]} cannot be run: {error.strerror}") from error
    return Ran(
        done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )


def _said(ran: Ran) -> str:
    return " ".join(ran.err.split()) or f"exit code {ran.code}"
