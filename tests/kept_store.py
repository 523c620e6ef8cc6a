"""Starts a real Redis or Valkey for a test, on a free port of this machine, with nothing on disk.

with KeptStore(tmp_path, "--requirepass", "word") as store:
    Shared(url=f"redis://:word@127.0.0.1:{store.port}/0")
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

from tests.engine_process import free_port

PROGRAMS = ("valkey-server", "redis-server")
_LIMIT_S = 30.0
_PAUSE_S = 0.02


def program() -> str | None:
    """The store's program on this machine; none where it is not installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class KeptStore:
    """One store, which can be stopped, frozen and started again at its port."""

    def __init__(self, folder: Path, *arguments: str, tls: bool = False) -> None:
        self.port = free_port()
        self._log_path = folder / "store.log"
        ports = ["--port", "0", "--tls-port", str(self.port)] if tls else ["--port", str(self.port)]
        self._arguments = [*ports, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *arguments]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> KeptStore:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        binary = program()
        assert binary is not None, f"none of {', '.join(PROGRAMS)} is installed"
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [binary, *self._arguments], cwd=self._folder, stdout=log, stderr=log
            )
        until = time.monotonic() + _LIMIT_S
        while not self._takes_connections():
            assert self._process.poll() is None, self._log_path.read_text()
            assert time.monotonic() < until, self._log_path.read_text()
            time.sleep(_PAUSE_S)

    def stop(self) -> None:
        """End it, frozen or not; what it held is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(_LIMIT_S)

    def freeze(self) -> None:
        """Let it answer nothing, with its connections open."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def _takes_connections(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
