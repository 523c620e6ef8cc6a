"""A message handed to a program of the operator's.

Owns its start, its bounds of time and output, and its end. Never uses a shell.

    send(message) -> start -> JSON on its standard input -> wait -> "exit 0", or SinkError
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import IO

import msgspec

from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.sink_error import SinkError

# Of what a program says before it fails, the end is told.
TOLD_BYTES = 500
# How long its output may stay open once it has ended: a child of its own may have inherited it.
OUTPUT_GRACE_S = 1.0


class Command:
    """The configured program."""

    name = "command"

    def __init__(self, argv: tuple[str, ...], timeout_s: float) -> None:
        self._argv = argv
        self._timeout_s = float(timeout_s)

    def send(self, message: Message) -> str:
        """Run the program; anything but exit code 0 in time is a `SinkError`."""
        try:
            process = self._start()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SinkError(f"{self._argv[0]} cannot be run: {reason}") from None
        told = _Tail(process.stderr)
        with process:
            feeder = _feed(process.stdin, msgspec.json.encode(message.payload(), enc_hook=repr) + b"\n")
            code = self._wait(process)
            feeder.join(OUTPUT_GRACE_S)
            return self._judge(code, told.text())

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  # the operator's own configuration names it
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(os.environ),
            cwd="/",
            # A group of its own, so that what it started ends with it.
            start_new_session=True,
        )

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        """Its exit code; None where it had to be killed."""
        try:
            return process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None

    def _judge(self, code: int | None, told: str) -> str:
        said = f": {told}" if told else ""
        if code is None:
            raise SinkError(f"{self._argv[0]} did not end within {self._timeout_s:g} s and was killed{said}")
        if code != 0:
            raise SinkError(f"{self._argv[0]} ended with code {code}{said}")
        return f"exit 0 from {self._argv[0]}"


class _Tail:
    """The end of what a program says, however much it says."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._end = b""
        self._thread = threading.Thread(target=self._read, args=(stream,), name="alert-output", daemon=True)
        self._thread.start()

    def text(self) -> str:
        self._thread.join(OUTPUT_GRACE_S)
        return " ".join(self._end.decode("utf-8", "replace").split())

    def _read(self, stream: IO[bytes] | None) -> None:
        # The stream is closed under this thread where a grandchild keeps it open.
        with contextlib.suppress(OSError, ValueError):
            while stream is not None and (chunk := os.read(stream.fileno(), 65536)):
                self._end = (self._end + chunk)[-TOLD_BYTES:]


def _feed(stream: IO[bytes] | None, text: bytes) -> threading.Thread:
    """Write on a thread: a program that reads nothing must not hold the sender."""

    def write() -> None:
        if stream is not None:
            with contextlib.suppress(BrokenPipeError, ValueError):
                stream.write(text)
            with contextlib.suppress(BrokenPipeError, ValueError):
                stream.close()

    thread = threading.Thread(target=write, name="alert-input", daemon=True)
    thread.start()
    return thread


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The daemon's environment without its own settings, which may hold secrets."""
    return {name: value for name, value in environ.items() if not name.startswith("IA0_")}
