"""The Unix socket through which the ``ia0`` command reaches the daemon: the daemon's side.

Owns the socket file, who may ask, and the bounds of a question. Never knows what
a command does: the handlers are given.

    accept -> whose process is it? -> one JSON line -> handler -> one JSON line -> close

A request is ``{"command": "reload", "args": {}}``. An answer is ``{"ok": true, "result": ...}``
or ``{"ok": false, "error": "...", "details": ["..."]}``.

Who may ask: root and the daemon's own user. Not the daemon's group: a command can
restart the engine, and membership of a group is given for reading logs. The file's
mode (0660) lets the group connect all the same, so that its members read a refusal
that says what to do and not just "permission denied".
"""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ia0_daemon.control_file import SocketFile

Args = dict[str, object]
Handler = Callable[[Args], object]

# Bounds of one question. A command line sends less than 1 KiB, at once.
LONGEST_REQUEST_BYTES = 64 * 1024
REQUEST_TIMEOUT_S = 5.0
# How many questions are answered at once; `reload` and `status` take milliseconds.
MOST_AT_ONCE = 8
_BACKLOG = 16

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid

log = logging.getLogger(__name__)


class CommandError(Exception):
    """A command that could not be done; raised by handlers, shown to the person who asked."""

    def __init__(self, message: str, details: list[str] | None = None) -> None:
        super().__init__(message)
        self.details = details or []


class ControlServer:
    """Answers the ``ia0`` command. ``start`` returns when the socket is there; ``stop`` leaves no file."""

    def __init__(
        self, path: str | Path, commands: Mapping[str, Handler], request_timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        self._file = SocketFile(Path(path))
        self._commands = commands
        self._timeout_s = request_timeout_s
        self._stopping = threading.Event()
        self._seats = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Open the socket; SocketInUseError if a daemon answers there, OSError if the folder refuses."""
        listener = self._file.listen(_BACKLOG)
        self._stopping.clear()
        thread = threading.Thread(target=self._accept, args=(listener,), name="control", daemon=True)
        self._listener, self._thread = listener, thread
        thread.start()

    def stop(self) -> None:
        """Close the socket and take its file away; questions under way are answered still."""
        if self._listener is None or self._thread is None:
            return
        self._file.remove()
        self._stopping.set()
        # close() alone would leave accept() waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._listener = self._thread = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                # Out of descriptors: the daemon goes on, and so does this thread, a little later.
                log.warning("control socket cannot accept: %s", error)
                self._stopping.wait(0.1)
                continue
            self._seat(connection)

    def _seat(self, connection: socket.socket) -> None:
        if not self._seats.acquire(blocking=False):
            with connection:
                _send(connection, _refusal("the daemon answers other commands; try again"))
            return
        threading.Thread(target=self._serve, args=(connection,), name="control-answer", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                _send(connection, self._answer(connection))
        finally:
            self._seats.release()

    def _answer(self, connection: socket.socket) -> dict[str, object]:
        try:
            check_peer(*peer(connection))
            command, args = parse_request(read_line(connection, self._timeout_s))
            return self._run(command, args)
        except CommandError as error:
            return _refusal(str(error), error.details)
        except OSError as error:
            return _refusal(f"the request did not arrive: {error}")

    def _run(self, command: str, args: Args) -> dict[str, object]:
        handler = self._commands.get(command)
        if handler is None:
            raise CommandError(
                f"there is no command {command!r}", [f"known: {', '.join(sorted(self._commands))}"]
            )
        try:
            return {"ok": True, "result": handler(args)}
        except CommandError:
            raise
        except Exception as error:  # the edge: a handler's defect must reach the person, and the log
            log.exception("command %s failed", command)
            raise CommandError(f"{command} failed inside the daemon: {error!r}; its log has more") from error


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process id and user id of whoever is at the other end, as the kernel says."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return pid, uid


def check_peer(pid: int, uid: int) -> None:
    """Let root and the daemon's own user through; CommandError for everybody else."""
    if uid not in {0, os.geteuid()}:
        log.warning("control socket refused process %d of user %d", pid, uid)
        raise CommandError(f"user {uid} may not command this daemon; ask as root or as user {os.geteuid()}")


def read_line(connection: socket.socket, timeout_s: float) -> bytes:
    """One line within the bounds of size and of time in all, however slowly it comes."""
    deadline = time.monotonic() + timeout_s
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise CommandError("the request took too long")
        connection.settimeout(left)
        try:
            chunk = connection.recv(4096)
        except TimeoutError:
            raise CommandError("the request took too long") from None
        line += chunk
        if len(line) > LONGEST_REQUEST_BYTES:
            raise CommandError(f"the request is longer than {LONGEST_REQUEST_BYTES} bytes")
        if not chunk:
            raise CommandError("the request is not one line")
    return line


def parse_request(line: bytes) -> tuple[str, Args]:
    """Command and arguments of a request; CommandError if it is none."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise CommandError("the request is not JSON") from None
    command = request.get("command") if isinstance(request, dict) else None
    args = request.get("args", {}) if isinstance(request, dict) else None
    if not isinstance(command, str) or not isinstance(args, dict) or set(request) - {"command", "args"}:
        raise CommandError('the request is not {"command": "...", "args": {...}}')
    return command, args


def _refusal(message: str, details: list[str] | None = None) -> dict[str, object]:
    return {"ok": False, "error": message, "details": details or []}


def _send(connection: socket.socket, answer: dict[str, object]) -> None:
    try:
        connection.settimeout(REQUEST_TIMEOUT_S)
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError as error:
        log.debug("whoever asked has gone: %s", error)
