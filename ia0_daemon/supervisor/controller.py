"""Who starts and stops the engine: a process of this user, or nobody (observe only).

Owns the one effect of a restart. Never decides that there should be one. The
controller for systemd's units is `unit_controller.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ia0_daemon.local_services import manager, processes, records, spec
from ia0_daemon.local_services.errors import ServiceError


class ControllerError(Exception):
    """The engine could not be restarted; the text says why, with the end of its log where there is one."""


class HopelessError(ControllerError):
    """Trying again changes nothing: a person must see to it first."""


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """The engine's main process."""

    pid: int | None
    running: bool
    left_alone: str = ""
    """Why the supervisor must not heal it now although it may not answer: somebody else is at it."""
    ended: str = ""
    """How it ended, where it does not run and that is known."""
    news: str = ""
    """What happened to it without the supervisor; said once."""


class Controller(Protocol):
    """What the supervisor needs of whoever runs the engine."""

    can_restart: bool

    def process(self) -> EngineProcess:
        """Look; cheap enough for every tick."""

    def restart(self) -> None:
        """End the engine with all its processes and start it. Raises `ControllerError`."""

    def post_mortem(self) -> dict[str, object]:
        """Tell what is known of how the engine last ended, for an event; may take a second."""


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

    def post_mortem(self) -> dict[str, object]:
        """Nothing: a process of this user leaves its last words in its log alone."""
        return {}


class ObserveOnly:
    """An engine that somebody else runs: looked at, never touched."""

    can_restart = False

    def process(self) -> EngineProcess:
        """Say that it cannot be known here whether it runs."""
        return EngineProcess(None, running=True)

    def restart(self) -> None:
        """Refuse."""
        raise ControllerError(
            "the engine is observed only; restart.engine_unit or restart.engine_service_file says what "
            "the daemon may restart"
        )

    def post_mortem(self) -> dict[str, object]:
        """Nothing is known."""
        return {}
