"""Who starts and stops the engine: a process of this user, or nobody (observe only).

Owns the one effect of a restart. Never decides that there should be one. The
controller for systemd units comes with the roles for GPU hosts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ia0_daemon.local_services import manager, processes, records, spec
from ia0_daemon.local_services.errors import ServiceError


class ControllerError(Exception):
    """The engine could not be restarted; the text says why, with the end of its log where there is one."""


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """The engine's main process."""

    pid: int | None
    running: bool


class Controller(Protocol):
    """What the supervisor needs of whoever runs the engine."""

    can_restart: bool

    def process(self) -> EngineProcess:
        """Look; cheap enough for every tick."""

    def restart(self) -> None:
        """End the engine with all its processes and start it. Raises `ControllerError`."""


class ProcessController:
    """The engine as a detached process, described by a service file of `local_services`."""

    can_restart = True

    def __init__(self, service_file: Path) -> None:
        self._service = spec.load(service_file)

    def process(self) -> EngineProcess:
        """Look at the run file and at the process that it remembers."""
        record = records.read(Path(self._service.run_path))
        if record is None:
            return EngineProcess(None, running=False)
        return EngineProcess(record.identity.pid, processes.is_alive(record.identity))

    def restart(self) -> None:
        """Stop what is left of it, whatever state it is in, and start it."""
        try:
            manager.stop(self._service)
            manager.start(self._service)
        except ServiceError as error:
            raise ControllerError(str(error)) from error


class ObserveOnly:
    """An engine that somebody else runs: looked at, never touched."""

    can_restart = False

    def process(self) -> EngineProcess:
        """Say that it cannot be known here whether it runs."""
        return EngineProcess(None, running=True)

    def restart(self) -> None:
        """Refuse."""
        raise ControllerError(
            "the engine is observed only; restart.controller says whether the daemon may restart it"
        )
