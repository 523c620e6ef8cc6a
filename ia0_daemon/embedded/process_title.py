"""Gives a process the name and the argument list that Ollama's child has.

    rename("llama-server", ["--model", ...])

A Python process shows ``python -m ...``; supervisors look for ``llama-server
--model <blob>``. ``prctl`` sets the short name; the argument list is written over
the old one, in the memory where Linux reads ``/proc/<pid>/cmdline`` from. The new
list must fill the old one's bytes exactly, so its first path is padded with slashes.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_PR_SET_NAME = 15
# Fields of /proc/<pid>/stat after the closing parenthesis of field 2: proc(5) counts from 1.
_ARG_START, _ARG_END = 48 - 3, 49 - 3


def rename(name: str, arguments: list[str]) -> None:
    """Rename this process; a list that does not fit is left alone."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    title = padded_title(name, arguments, end - start)
    if title is not None:
        ctypes.memmove(start, title, len(title))


def padded_title(name: str, arguments: list[str], size: int) -> bytes | None:
    """The NUL-separated list of exactly this size, or None when it does not fit."""
    rest = b"".join(b"\0" + argument.encode() for argument in arguments) + b"\0"
    room = size - len(rest) - len(name.encode())
    if room < 0:
        return None
    prefix = b"/" * room if room < len(b"lib/ollama/") else b"lib/ollama" + b"/" * (room - len(b"lib/ollama"))
    return prefix + name.encode() + rest
