"""Starts a real Redis or Valkey for a test, on a free loopback port, and leaves nothing of it behind.

    with StoreProcess(tmp_path, "--requirepass", "word") as store:
        open_store(Shared(url=f"valkey://:word@127.0.0.1:{store.port}/0"))

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

from tests.certificate import Certificate
from tests.engine_process import free_port

PROGRAMS = ("valkey-server", "redis-server")
REMEDY = (
    f"none of {', '.join(PROGRAMS)} is installed: "
    "apt-get install --no-install-recommends redis-server (docs/development.md)"
)

_LIMIT_S = 30.0
_PAUSE_S = 0.02


def program() -> str:
    """The store's program on this machine."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin"
    found = next(filter(None, (shutil.which(name, path=places) for name in PROGRAMS)), None)
    assert found, REMEDY
    return found


class StoreProcess:
    """One store with its log in a folder; with a certificate it speaks TLS alone."""

    def __init__(self, folder: Path, *options: str, tls: Certificate | None = None) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._log_path = folder / "store.log"
        ports = ["--port", str(self.port)] if tls is None else _tls(self.port, tls)
        self._options = [*ports, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *options]
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
        command = [program(), *self._options]
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._log_path.parent)
        until = time.monotonic() + _LIMIT_S
        while not self._takes_connections():
            assert self._process.poll() is None, self._log_path.read_text()
            assert time.monotonic() < until, self._log_path.read_text()
            time.sleep(_PAUSE_S)

    def kill(self) -> None:
        """SIGKILL, frozen or not, and wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(_LIMIT_S)

    def freeze(self) -> None:
        """Let it take connections and answer nothing, as a host that swaps does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def client(self, password: str | None = None) -> valkey.Valkey:
        """A client of the test's own; close it."""
        return valkey.Valkey(port=self.port, password=password, decode_responses=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _takes_connections(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=_LIMIT_S).close()
        except ConnectionRefusedError:
            return False
        return True


def _tls(port: int, files: Certificate) -> list[str]:
    ports = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
    return [*ports, "--tls-cert-file", files.path, "--tls-key-file", files.key_path]
