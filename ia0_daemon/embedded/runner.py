"""One loaded model: its child process, its slots, and how it is asked.

    Runner.start(launch) -> wait_until_running -> slot -> client -> close

Owns the child from start to SIGKILL. The child is no session of its own and gets
no death signal: SIGTERM of the parent kills it through ``close``, SIGKILL of the
parent orphans it, both as with Ollama. Never decides when a model is loaded or
unloaded (``scheduler`` does).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.child_client import ChildClient, ChildCut, ChildRefused, ChildUnreachable
from ia0_daemon.embedded.durations import FOREVER
from ia0_daemon.embedded.failures import EngineFailure
from ia0_daemon.embedded.launch import Launch, launch_arguments
from ia0_daemon.embedded.memory_size import loaded_size
from ia0_daemon.embedded.slots import Slots

_POLL_S = 0.02
_HEALTH_TIMEOUT_S = 0.2
# Ollama's limit for the ping that decides whether a loaded model must be loaded again.
PING_TIMEOUT_S = 10.0
_CHILD_MODULE = "ia0_daemon.embedded.llama_server"
_log = logging.getLogger(__name__)


class Runner:
    """A child process with one model."""

    def __init__(self, launch: Launch, extra_environment: Mapping[str, str]) -> None:
        self.launch = launch
        self.num_ctx = launch.num_ctx
        self.size = loaded_size(launch)
        self.size_vram = 0 if launch.cpu_only or launch.options.num_gpu == 0 else self.size
        self.slots = Slots(launch.parallel)
        self.last_error = ""
        self._held = _hold_port()
        self._port: int = self._held.getsockname()[1]
        self.client = ChildClient(self._port)
        self._started = time.monotonic()
        self._child = self._spawn(extra_environment)
        threading.Thread(target=self._read_log, name="runner-log", daemon=True).start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def _spawn(self, extra_environment: Mapping[str, str]) -> subprocess.Popen[str]:
        arguments = launch_arguments(self.launch, self._port)
        _log.info('starting llama-server cmd="llama-server %s"', " ".join(arguments))
        return subprocess.Popen(  # noqa: S603 - our own module with arguments that we made
            [sys.executable, "-m", _CHILD_MODULE, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **extra_environment},
        )

    def _read_log(self) -> None:
        assert self._child.stderr is not None  # noqa: S101 - it was asked for as a pipe
        for line in self._child.stderr:
            _log.debug("llama-server[%d]: %s", self.pid, line.rstrip())
            if line.lower().startswith("error") or "error:" in line.lower():
                self.last_error = line.strip()

    def wait_until_running(self, context: Context, timeout: float) -> None:
        """Wait for the child's health; kill it and raise when it ends, takes too long or nobody waits."""
        deadline = self._started + timeout
        try:
            while not self._is_ready():
                self._check_loading(context, deadline)
                context.wait(_POLL_S)
        except EngineFailure:
            self.close()
            raise
        self._held.close()
        self.last_error = ""
        _log.info("llama-server started in %.2f seconds pid=%d", time.monotonic() - self._started, self.pid)

    def _check_loading(self, context: Context, deadline: float) -> None:
        if context.cancelled:
            _log.warning("client connection closed before llama-server finished loading, aborting load")
        context.check()
        code = self._child.poll()
        if code is not None:
            raise EngineFailure(self._ended_text(code))
        if deadline != FOREVER and time.monotonic() > deadline:
            raise EngineFailure(f"timed out waiting for llama-server to start - {self.last_error}")

    def _ended_text(self, code: int) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(1)
        # Go's words: "killed", "terminated", "segmentation fault".
        how = f"exit status {code}" if code >= 0 else f"signal: {(signal.strsignal(-code) or '').lower()}"
        return f"llama-server process has terminated: {how}" + (
            f": {self.last_error}" if self.last_error else ""
        )

    def _is_ready(self) -> bool:
        try:
            return self._health(_HEALTH_TIMEOUT_S) == "ok"
        except (ChildUnreachable, ChildRefused, ChildCut):
            return False

    def _health(self, timeout: float) -> str:
        answer = self.client.ask(Context(), "/health", timeout=timeout)
        return str(answer.get("status"))

    def answers(self) -> bool:
        """Whether the child answers a ping within Ollama's ten seconds."""
        if self._child.poll() is not None:
            return False
        try:
            self._health(PING_TIMEOUT_S)
        except (ChildUnreachable, ChildRefused, ChildCut):
            return False
        return True

    @contextmanager
    def slot(self, context: Context) -> Iterator[None]:
        """Wait, without bound, for one of the model's slots."""
        self.slots.acquire(context)
        try:
            yield
        finally:
            self.slots.release()

    def tokenize(self, context: Context, text: str, *, add_special: bool = False) -> list[int]:
        """The text's tokens."""
        value = {"content": text} | ({"add_special": True} if add_special else {})
        return list(self._asked(context, "/tokenize", value)["tokens"])

    def detokenize(self, context: Context, tokens: list[int]) -> str:
        """The tokens' text."""
        return str(self._asked(context, "/detokenize", {"tokens": tokens})["content"])

    def _asked(self, context: Context, path: str, value: object) -> dict[str, list[int]]:
        try:
            answer: dict[str, list[int]] = self.client.ask(context, path, value)
        except (ChildUnreachable, ChildCut, ChildRefused) as error:
            raise EngineFailure(f"{path.removeprefix('/')} error: {error}") from error
        return answer

    def grow(self, how: str, mebibytes: float) -> None:
        """Let the child take this much for good: ``leak`` or ``map`` (faults)."""
        if self._child.stdin is not None:
            with suppress(OSError):
                self._child.stdin.write(f"{how} {mebibytes}\n")
                self._child.stdin.flush()

    def kill(self) -> None:
        """SIGKILL, without waiting."""
        self._child.kill()

    def close(self) -> None:
        """SIGKILL the child and wait for its end."""
        self._child.kill()
        self._child.wait()
        self._held.close()
        if self._child.stdin is not None:
            with suppress(OSError):
                self._child.stdin.close()


def _hold_port() -> socket.socket:
    """Take a port for the child, and hold it until it listens there.

    A port that was only looked up may be given to somebody else before the child, which takes a second to
    start, listens: then the child ends, or, where a child of another engine has the port, is taken for it.
    Without listening, and with SO_REUSEADDR, as the child has it, the port is free for the child alone.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held
