"""The file of the control socket: made whole or not at all, taken away at the end.

Owns the file's life. Never reads or writes through the socket.

    lock the folder -> is a daemon there? -> bind beside -> mode -> listen -> rename over

Every path goes through the folder's descriptor (/proc/self/fd/N/name), because
the kernel takes no socket path of more than 107 bytes, which a clone in a deep
folder exceeds.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MODE = 0o660


class SocketInUseError(Exception):
    """Another daemon answers at this path, or something stands there that is no socket."""


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A path of a few bytes for one that may be too long for the kernel; valid inside the ``with``."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def connect(path: Path, timeout_s: float) -> socket.socket:
    """A connection to the socket at a path; OSError as ``connect`` gives it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with short_path(path) as short:
            connection.connect(short)
    except BaseException:
        connection.close()
        raise
    return connection


class SocketFile:
    """One socket's file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made: tuple[int, int] | None = None

    def listen(self, backlog: int) -> socket.socket:
        """A listening socket at the path; a dead daemon's file is replaced, a living one's never."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _locked(self.path.parent), short_path(self.path) as short:
                self._refuse_if_taken(short)
                self._bind(listener, short, backlog)
        except BaseException:
            listener.close()
            raise
        return listener

    def remove(self) -> None:
        """Take the file away, if it is still the one that was made here."""
        with suppress(FileNotFoundError):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self._made:
                self.path.unlink()
        self._made = None

    def _refuse_if_taken(self, short: str) -> None:
        if not os.path.lexists(short):
            return
        if not self.path.is_socket():
            raise SocketInUseError(
                f"{self.path} exists and is no socket; server.socket_path must name a free path"
            )
        try:
            connect(self.path, timeout_s=1.0).close()
        except (ConnectionRefusedError, FileNotFoundError):
            return  # nobody listens: the file of a daemon that died
        except (BlockingIOError, TimeoutError):
            pass  # its queue is full, so it lives
        raise SocketInUseError(
            f"another daemon answers at {self.path}; stop it, or give this one its own server.socket_path"
        )

    def _bind(self, listener: socket.socket, short: str, backlog: int) -> None:
        beside = Path(f"{short}.{os.getpid()}.new")
        beside.unlink(missing_ok=True)
        try:
            listener.bind(str(beside))
            # Before listen(): until then nobody can connect, whatever the umask has left open.
            beside.chmod(MODE)
            listener.listen(backlog)
            found = beside.lstat()
            beside.rename(short)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        self._made = (found.st_dev, found.st_ino)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one starting daemon at a time look and bind; the lock is on the folder and leaves no file."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FileNotFoundError(f"server.socket_path: there is no folder {folder}; make it first") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
