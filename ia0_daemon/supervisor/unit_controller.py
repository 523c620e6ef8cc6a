"""The engine as a unit of systemd, which polkit lets this user restart.

    process(): the remembered pid is still it -> runs;   else ask systemd -> read_process(state)
    restart(): ask -> hopeless? brought back already? -> reset-failed where it failed -> restart

Owns what the unit's states mean for the supervisor. systemd is asked only when
the remembered process is gone: a question costs as much as a whole sample.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from ia0_daemon.supervisor.controller import ControllerError, EngineProcess, HopelessError
from ia0_daemon.supervisor.read_process import PROC, read_stat
from ia0_daemon.supervisor.samples import Identity
from ia0_daemon.systemd.unit import Unit, UnitError, UnitForbidden, UnitState

log = logging.getLogger(__name__)

# How many lines of the unit's journal an event keeps.
JOURNAL_LINES = 20
# How long an answer of systemd's is believed, in seconds: one tick asks more than once.
BELIEVED_S = 1.0
# Words of LoadState for a unit that no restart can start, and what a person does about it.
_HOPELESS = {
    "masked": "it is masked; `systemctl unmask {unit}`",
    "not-found": "systemd knows no such unit; restart.engine_unit in ia0.toml names it",
    "bad-setting": "systemd cannot read its file; `systemctl status {unit}` says why",
    "error": "systemd cannot load its file; `systemctl status {unit}` says why",
}


class UnitController:
    """Keeps one unit. Safe to use from the tick's and the remedy's thread."""

    can_restart = True

    def __init__(self, unit: Unit, proc: Path = PROC) -> None:
        self._unit, self._proc = unit, proc
        self._main: Identity | None = None
        self._last: tuple[float, EngineProcess] | None = None
        self._state: UnitState | None = None
        self._stated_at = float("-inf")
        self._ended: UnitState | None = None

    @property
    def name(self) -> str:
        """The unit's name."""
        return self._unit.name

    @property
    def control_group(self) -> str:
        """The unit's cgroup as systemd names it; empty while it has none."""
        return self._state.control_group if self._state else ""

    def state(self, older_than_s: float) -> UnitState | None:
        """Give what systemd says, asked again where the last answer is older; None where it says nothing."""
        if self._state is None or time.monotonic() - self._stated_at >= older_than_s:
            try:
                self._note(self._unit.show())
            except UnitError as error:
                log.warning("systemd does not say how %s is: %s", self.name, error)
        return self._state

    def process(self) -> EngineProcess:
        """Look whether the remembered process is there; ask systemd where it is not."""
        main = self._main
        if main is not None and _is_there(self._proc, main):
            return EngineProcess(main.pid, running=True)
        if self._last is not None and time.monotonic() - self._last[0] < BELIEVED_S:
            return self._last[1]
        found = self._asked(main)
        self._last = (time.monotonic(), found)
        return found

    def restart(self) -> None:
        """Stop all of it and start it. Raises `ControllerError` with the journal's end."""
        try:
            self._restart()
        except UnitForbidden as error:
            raise HopelessError(str(error)) from error
        except UnitError as error:
            lines = self._unit.journal(JOURNAL_LINES)
            raise ControllerError("\n".join([str(error), "its journal ends with:", *lines])) from error
        finally:
            self._main = self._last = self._ended = None

    def post_mortem(self) -> dict[str, object]:
        """Tell how the unit's process last ended, with the end of its journal."""
        state = self._ended
        told: dict[str, object] = {"unit": self.name, "journal": self._unit.journal(JOURNAL_LINES)}
        if state is None:
            return told
        return told | {
            "unit_state": f"{state.active} ({state.sub})",
            "ended": state.end() or "it is not known how",
            "result": state.result,
            "restarts_by_systemd": state.restarts,
        }

    def _asked(self, before: Identity | None) -> EngineProcess:
        try:
            state = self._unit.show()
        except UnitError as error:
            log.warning("systemd does not say how %s is: %s", self.name, error)
            return EngineProcess(None, running=True, left_alone=f"systemd does not say how {self.name} is")
        old = self._state
        self._note(state)
        found = process_of(self.name, state)
        if found.pid is not None:
            self._remember(found.pid)
            if before is not None and old is not None:
                return _came_back(self.name, found.pid, old, state)
        elif not found.running:
            self._ended = state
        return found

    def _note(self, state: UnitState) -> None:
        self._state, self._stated_at = state, time.monotonic()

    def _remember(self, pid: int) -> None:
        stat = read_stat(self._proc, pid)
        self._main = None if stat is None else Identity(stat.pid, stat.started)

    def _restart(self) -> None:
        ended, state = self._ended, self._unit.show()
        hopeless = _hopeless(self.name, state)
        if hopeless:
            raise UnitForbidden(f"{self.name} cannot be started: {hopeless}")
        if ended is not None and state.pid is not None and state.invocation != ended.invocation:
            log.info("systemd has brought %s back already", self.name)
            return
        if state.active == "failed":
            # Else a limit of starts (start-limit-hit) refuses this one as well.
            self._unit.reset_failed()
        self._unit.restart()


def process_of(name: str, state: UnitState) -> EngineProcess:
    """What a unit's state means for the supervisor."""
    if state.pid is not None:
        return EngineProcess(state.pid, running=True)
    if state.active == "activating" and "auto-restart" not in state.sub:
        return EngineProcess(None, running=True, left_alone=f"systemd is starting {name} ({state.sub})")
    if state.active == "deactivating":
        return EngineProcess(None, running=True, left_alone=f"systemd is stopping {name} ({state.sub})")
    # Whatever it died of before: one that systemd gives up is "failed", one that it brings back "activating".
    if state.active == "inactive" and state.load == "loaded":
        why = f"{name} was stopped by systemctl; `systemctl start {name}` or `ia0 restart` starts it"
        return EngineProcess(None, running=True, left_alone=why)
    how = _hopeless(name, state) or state.end() or f"{state.active} ({state.sub})"
    return EngineProcess(None, running=False, ended=f"{name}: {how}")


def _hopeless(name: str, state: UnitState) -> str:
    return _HOPELESS.get(state.load, "").format(unit=name)


def _came_back(name: str, pid: int, old: UnitState, new: UnitState) -> EngineProcess:
    """Another process runs without our doing: systemd counts those that it restarts itself."""
    if new.restarts > old.restarts:
        news = f"{name} ended and systemd has brought it back"
        return EngineProcess(pid, running=True, ended="it is not known how", news=news)
    return EngineProcess(pid, running=True, news=f"{name} was restarted by somebody else")


def _is_there(proc: Path, identity: Identity) -> bool:
    stat = read_stat(proc, identity.pid)
    return stat is not None and stat.started == identity.started
