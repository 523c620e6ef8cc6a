"""Opens a file as root for the eyes of the daemon's user, without being led astray.

    / -> folder by folder, no link followed -> whose folder is it? -> a plain file

Whoever may write a folder on the way can put another file there, and root would
read that. So no link is followed anywhere, and where it is not the engine's own
tree, every folder is root's and nobody else may write it. Owns that walk; each
step goes through the descriptor of the one before, so nothing can be exchanged
in between.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def open_of_root(path: Path) -> BufferedReader:
    """A file in folders of root's alone."""
    return _opened(path, roots_alone=True)


def open_of_engine(path: Path) -> BufferedReader:
    """A file of the engine's tree, whose folders are the engine's user's."""
    return _opened(path, roots_alone=False)


def _opened(path: Path, *, roots_alone: bool) -> BufferedReader:
    folder = os.open("/", _FOLDER)
    try:
        here = Path("/")
        for name in path.parts[1:-1]:
            here /= name
            below = os.open(name, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
            if roots_alone:
                _refuse_others(os.fstat(folder), here)
        descriptor = os.open(path.name, _FILE, dir_fd=folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is no plain file", str(path))
    return os.fdopen(descriptor, "rb")


def _refuse_others(state: os.stat_result, folder: Path) -> None:
    # In a sticky folder nobody can replace what is root's.
    open_to_others = state.st_mode & 0o022 and not state.st_mode & stat.S_ISVTX
    if state.st_uid != 0 or open_to_others:
        raise OSError(None, f"others than root may write {folder}, so root does not read there for them")
