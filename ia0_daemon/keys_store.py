"""Writes the file of the keys that ``ia0 keys`` makes and ends (``auth.keys_path``).

Owns its text, its owner and the lock that two commands at once need. Never sees a key in the clear, and
never decides what is in the file: the old one or the new one is there at any moment.

    with KeysStore(path) as store:  read -> (the caller decides) -> write: temporary file, fsync, rename
"""

from __future__ import annotations

import fcntl
import grp
import io
import os
import pwd
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType

import msgspec

from ia0_daemon.backup.errors import RestoreRefused, told
from ia0_daemon.backup.manifest import Entry, Kind
from ia0_daemon.backup.replace_file import Replacement
from ia0_daemon.settings.schema import ApiKey
from ia0_daemon.settings.toml_text import written

# The daemon's user reads it as its owner or by its group; nobody else has any business with hashes of keys.
MODE = 0o640
# A command holds the lock for milliseconds; in seconds.
_LOCK_WAIT_S = 10.0
_PAUSE_S = 0.05

_HEAD = """\
# The keys of `ia0 keys create` and `ia0 keys revoke`, which write this file anew: comments do not stay.
# Hashes alone; a key itself is shown once, when it is made.
"""


class CannotStore(Exception):
    """The file was not written; what stood there stands there still."""


class KeysStore:
    """The file, held by one command until the block ends. Raises `CannotStore`."""

    def __init__(self, path: str, wait_s: float = _LOCK_WAIT_S) -> None:
        # Links on the way to the folder are the operator's; one in the file's own place is refused.
        self._path = Path(path).parent.resolve() / Path(path).name
        self._wait_s = wait_s

    def __enter__(self) -> KeysStore:
        with ExitStack() as stack:
            try:
                self._replacement = Replacement(self._path)
                stack.callback(self._replacement.close)
                self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except (RestoreRefused, OSError) as error:
                raise CannotStore(_words(error)) from None
            stack.callback(os.close, self._folder)  # and with it the lock
            self._lock()
            self._held = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def write(self, keys: Sequence[ApiKey]) -> None:
        """Put these keys in place of what is there; on the disk when this returns."""
        content = text(keys).encode()
        try:
            self._replacement.prepare(self._entry(content), io.BytesIO(content))
            self._replacement.commit()
        except OSError as error:
            raise CannotStore(
                f"{self._path} cannot be written: {_words(error)}; nothing was changed"
            ) from None

    def _lock(self) -> None:
        """Hold the folder: a lock on the file would be lost with its rename."""
        until = time.monotonic() + self._wait_s
        while not _locked(self._folder):
            if time.monotonic() >= until:
                held = f"another `ia0 keys` has held {self._path.parent} for {self._wait_s:g} s"
                raise CannotStore(f"{held}; nothing was changed")
            time.sleep(_PAUSE_S)

    def _entry(self, content: bytes) -> Entry:
        """The folder's owner and group: so the daemon can read what root writes."""
        owner = os.fstat(self._folder)
        return Entry(
            member="",
            kind=Kind.KEYS,
            origin=str(self._path),
            size=len(content),
            sha256=sha256(content).hexdigest(),
            mode=MODE,
            uid=owner.st_uid,
            gid=owner.st_gid,
            owner=_user(owner.st_uid),
            group=_group(owner.st_gid),
        )


def text(keys: Sequence[ApiKey]) -> str:
    """The file's text: of each key what is not its default."""
    return _HEAD + "".join(f"\n[[keys]]\n{''.join(_lines(key))}" for key in keys)


def _lines(key: ApiKey) -> list[str]:
    values = {field.name: field for field in msgspec.structs.fields(key)}
    return [
        f"{name} = {written(getattr(key, name))}\n"
        for name, field in values.items()
        if field.required or getattr(key, name) != field.default
    ]


def _locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _words(error: Exception) -> str:
    return told(error) if isinstance(error, OSError) else str(error)


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return ""


def _group(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return ""
