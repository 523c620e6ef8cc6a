"""Which process listens where the engine is configured, for engines that the daemon did not start.

    the pid found last is still the same process -> it; else who listens on the port -> `ollama serve` by name

Owns the search. It reads every socket, so it happens only when the last answer
is no longer true.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil

from ia0_daemon.supervisor.read_process import PROC, read_process, read_stat
from ia0_daemon.supervisor.samples import Identity

# How long nobody being there is believed, in seconds.
RETRY_S = 10.0


class Listener:
    """Finds the engine on this machine by the port that it listens on."""

    def __init__(self, port: Callable[[], int], clock: Callable[[], float], proc: Path = PROC) -> None:
        """`port`: where the engine is now; a reload may change it."""
        self._port, self._clock, self._proc = port, clock, proc
        self._searched = 0
        self._found: Identity | None = None
        self._next_search = float("-inf")

    def __call__(self) -> int | None:
        """The pid of the engine's parent process; None where there is none on this machine."""
        port = self._port()
        if port == self._searched:
            if self._found is not None and _is_same(self._proc, self._found):
                return self._found.pid
            if self._clock() < self._next_search:
                return None
        self._searched, self._found = port, None
        self._next_search = self._clock() + RETRY_S
        pid = _listening(port) or _serving(self._proc)
        stat = None if pid is None else read_stat(self._proc, pid)
        self._found = None if stat is None else Identity(stat.pid, stat.started)
        return None if self._found is None else self._found.pid


def _is_same(proc: Path, identity: Identity) -> bool:
    stat = read_stat(proc, identity.pid)
    return stat is not None and stat.started == identity.started


def _listening(port: int) -> int | None:
    """Who listens on the port; None also where the process is another user's, whose sockets are hidden."""
    pids = {
        each.pid
        for each in psutil.net_connections(kind="tcp")
        if each.status == psutil.CONN_LISTEN
        and each.laddr
        and each.laddr.port == port
        and each.pid is not None
    }
    return min(pids, default=None)


def _serving(proc: Path) -> int | None:
    """The one `ollama serve` of this machine; None where there are several."""
    found = [
        int(entry.name) for entry in proc.iterdir() if entry.name.isdigit() and _is_serve(proc, entry.name)
    ]
    return found[0] if len(found) == 1 else None


def _is_serve(proc: Path, pid: str) -> bool:
    stat = read_stat(proc, int(pid))
    process = None if stat is None else read_process(proc, stat)
    arguments = () if process is None else process.arguments
    return arguments[1:2] == ("serve",) and arguments[0].rpartition("/")[2] in {"ollama", "ia0-engine"}
