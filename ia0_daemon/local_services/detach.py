"""A short-lived program that starts one detached process and writes its pid to a pipe.

Owns the moment of spawning. Run by its path with the standard library alone, so
that it costs little and works wherever Python does; see ``launch.py``.

    detach.py WRITER PROGRAM ARGUMENTS...
"""

from __future__ import annotations

import os
import signal
import sys

_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these; the service must begin with the defaults."""


def main(arguments: list[str]) -> None:
    """Spawn in a session of its own; the answer is a pid, or why there is none."""
    writer, command = int(arguments[0]), arguments[1:]
    os.set_inheritable(writer, False)
    try:
        answer = str(
            os.posix_spawnp(command[0], command, os.environ, setsid=True, setsigdef=_IGNORED_BY_PYTHON)
        )
    except OSError as error:
        answer = error.strerror or str(error)
    os.write(writer, answer.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
