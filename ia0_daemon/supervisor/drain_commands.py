"""`ia0 drain` and `ia0 undrain` inside the daemon.

    drain:    keep it in the file -> shut the gate
    undrain:  wait for the engine -> load what was loaded -> take the file away -> open the gate

Owns the order of these steps. Never restarts the engine: under a drain that is
the operator's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ia0_daemon.control import CommandError
from ia0_daemon.supervisor.operator_drain import Drain, DrainFile
from ia0_daemon.supervisor.remedy import Engine, wait_for_answer, warm

if TYPE_CHECKING:
    from ia0_daemon.gate import Gate
    from ia0_daemon.settings.schema import Settings
    from ia0_daemon.supervisor.supervisor import Supervisor


class DrainCommands:
    """What an operator's drain does to one daemon."""

    def __init__(
        self,
        supervisor: Supervisor,
        gate: Gate,
        engine: Engine,
        file: DrainFile,
        settings: Callable[[], Settings],
    ) -> None:
        self._supervisor, self._gate, self._engine = supervisor, gate, engine
        self._file, self._settings = file, settings
        self._undraining = threading.Lock()

    def recall(self) -> None:
        """A drain stands until an operator takes it back, whatever happens to the daemon meanwhile."""
        drain = self._file.find()
        if drain is not None:
            self._supervisor.drain(drain)

    def drain(self, args: dict[str, object]) -> dict[str, Any]:
        """Begin one, or change the one that stands; the models to warm are those of the first."""
        before = self._supervisor.drained
        loaded = list(before.loaded) if before else self._engine.loaded()
        drain = Drain.now(hold=bool(args.get("hold")), reason=str(args.get("reason") or ""), loaded=loaded)
        try:
            self._file.keep(drain)
        except OSError as error:
            raise CommandError(
                f"the drain could not be kept for the daemon's next start, so there is none: {error}"
            ) from error
        self._supervisor.drain(drain)
        return self.under_way()

    def under_way(self) -> dict[str, Any]:
        """What a drain waits for: answers at the engine, and a restart of the supervisor's own."""
        remedy = self._supervisor.remedy
        return {
            "in_flight": self._gate.in_flight,
            "restarting": remedy is not None and remedy.is_running,
        }

    def undrain(self, args: dict[str, object]) -> None:
        """End it; `now` opens the gate whatever the engine does."""
        if not self._undraining.acquire(blocking=False):
            raise CommandError("an undrain is under way")
        try:
            drain = self._supervisor.drained
            if drain is not None:
                self._end(drain, at_once=bool(args.get("now")))
        finally:
            self._undraining.release()

    def let_the_waiting_pass(self) -> None:
        """The daemon ends: nobody will open the gate to those who wait here, so an engine that answers may.

        The file stays, and with it the drain in the daemon's next life.
        """
        drain = self._supervisor.drained
        if drain is not None and drain.hold and self._gate.waiting and self._engine.answers():
            self._gate.unshut()

    def _end(self, drain: Drain, *, at_once: bool) -> None:
        warmed: list[str] = []
        began = time.monotonic()
        if not at_once:
            self._wait()
            warm(self._engine, drain.loaded, warmed)
        try:
            self._file.keep(None)
        except OSError as error:
            raise CommandError(f"the drain cannot be ended: {error}") from error
        self._supervisor.undrain({"warmed": warmed, "took_s": round(time.monotonic() - began, 3)})

    def _wait(self) -> None:
        try:
            wait_for_answer(self._engine, self._settings().restart.ready_timeout_s)
        except TimeoutError as error:
            raise CommandError(
                f"{error}, so this host stays drained",
                ["see to the engine and try again; `ia0 undrain --now` opens the gate all the same"],
            ) from error
