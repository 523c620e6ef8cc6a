"""Starts a real Redis for a test, on a free loopback port, and leaves nothing of it behind.

    with StoreProcess(tmp_path) as store:
        Limiter(Shared(url=store.url), "")

It keeps nothing on the disk: `kill` and `start` give an empty one on the same port.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

import valkey

from tests.engine_process import free_port

PROGRAM = "redis-server"
REMEDY = (
    f"{PROGRAM} is not installed: apt-get install --no-install-recommends redis-server (docs/development.md)"
)

_LIMIT_S = 30.0
_PAUSE_S = 0.02


class StoreProcess:
    """One Redis with its log in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._log_path = folder / "redis.log"
        self.options = list(options)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> StoreProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it (again, on the same port) and wait until it takes connections."""
        program = shutil.which(PROGRAM, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
        assert program, REMEDY
        command = [
            program,
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self.options], stdout=log, stderr=log, cwd=self._log_path.parent
            )
        until = time.monotonic() + _LIMIT_S
        while not self._takes_connections():
            assert self._process.poll() is None, self._log_path.read_text()
            assert time.monotonic() < until, self._log_path.read_text()
            time.sleep(_PAUSE_S)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(_LIMIT_S)

    def freeze(self) -> None:
        """Let it take connections and answer nothing, as a host that swaps does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def client(self) -> valkey.Valkey:
        """A client of the test's own; close it."""
        return valkey.Valkey(port=self.port, decode_responses=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _takes_connections(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=_LIMIT_S).close()
        except ConnectionRefusedError:
            return False
        return True
