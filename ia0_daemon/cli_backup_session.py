"""What every ``ia0 backup`` command works with, and what follows a restore.

Owns finding the service where the configuration may be broken, the note in the event history, and the
reload of a running daemon. Never restores anything itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from ia0_daemon.backup.candidate import settings_anyhow
from ia0_daemon.backup.errors import BackupError
from ia0_daemon.backup.service import BackupService
from ia0_daemon.cli_failure import Failure, source
from ia0_daemon.control_client import ControlError, call
from ia0_daemon.control_file import connect
from ia0_daemon.supervisor.event_database import Refused, open_for_writing
from ia0_daemon.supervisor.event_rows import insert
from ia0_daemon.supervisor.events import Event

_TIMEOUT_S = 10.0


class HistoryRecorder:
    """Writes into the history that the daemon keeps, where there is one; the daemon may be running."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, event: Event) -> None:
        """Keep an event, or not: what was done counts, not its note."""
        if not self._path.is_file():
            return
        with suppress(sqlite3.Error, Refused, OSError), closing(open_for_writing(self._path)) as connection:
            insert(connection, [event.bounded()])


class Session:
    """The service of one command, and the socket of the daemon as it runs now."""

    def __init__(self, config: str, folder: str | None) -> None:
        origin = source(config)
        settings, self.faults = settings_anyhow(origin)
        if folder:
            backup = msgspec.structs.replace(settings.backup, path=str(Path(folder).absolute()))
            settings = msgspec.structs.replace(settings, backup=backup)
        self.settings = settings
        self._source, self._sockets = origin, [settings.server.socket_path]
        self.service = BackupService(origin, settings, recorder=HistoryRecorder(Path(settings.events.path)))

    def reload(self) -> list[str]:
        """Let a running daemon read its configuration again; what came of it. Failure if it refused."""
        socket = self._daemons_socket()
        if socket is None:
            return [
                f"no daemon answers at {self._sockets[-1]}: it will read the configuration when it starts"
            ]
        try:
            call(socket, "reload", _TIMEOUT_S)
        except ControlError as error:
            raise Failure(
                [
                    "the files are in place, but the running daemon did not take the configuration:",
                    f"  {error}",
                    *(f"  {detail}" for detail in error.details),
                    "restart it, or take the restore back with `ia0 backup undo`",
                ]
            ) from None
        return ["the running daemon has read its configuration again"]

    def _daemons_socket(self) -> str | None:
        """Where a daemon answers: by the configuration as it was before, else as it is now."""
        self._sockets.append(settings_anyhow(self._source)[0].server.socket_path)
        for path in dict.fromkeys(self._sockets):
            try:
                connect(Path(path), _TIMEOUT_S).close()
            except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
                continue
            except OSError as error:
                raise Failure([f"the daemon could not be told: {error}; run `ia0 reload`"]) from None
            return path
        return None


@contextmanager
def told_failures(what: str) -> Iterator[None]:
    """Backup errors as the command tells them: the reason, its details, exit code 1."""
    try:
        yield
    except BackupError as error:
        raise Failure([f"{what}: {error}", *(f"  {detail}" for detail in error.details)]) from None
