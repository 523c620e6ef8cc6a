"""Starts one detached process: own session, appended log, nobody's child.

Owns the environment and the files that a service begins with. Never remembers
or waits for what it started.

    spawn():  detach.py as a short-lived process -> the service -> its pid comes back on a pipe

The step between makes the service nobody's child: a long-lived starter need
not reap it, and it looks the same whoever started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ia0_daemon.local_services import detach
from ia0_daemon.local_services.errors import StartError
from ia0_daemon.local_services.processes import MARK
from ia0_daemon.local_services.spec import Service, environment_of

_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "USER")
"""What a service needs of its surroundings; anything else would make it depend on who started it."""


def spawn(service: Service) -> int:
    """Start the service's command and return its pid."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as answer:
        try:
            _run_detach(service, writer)
        except OSError as error:
            raise StartError(f"{service.name}: cannot be started: {error}") from error
        finally:
            os.close(writer)
        told = answer.read()
    if not told.isdigit():
        reason = told or "no reason given"
        raise StartError(f"{service.name}: {service.command[0]!r} cannot be started: {reason}")
    return int(told)


def _run_detach(service: Service, writer: int) -> None:
    with Path(service.log_path).open("ab") as log:
        subprocess.run(  # noqa: S603 - the command is the service file's, which is the operator's own
            [sys.executable, "-I", detach.__file__, str(writer), *service.command],
            check=False,  # the pipe tells more than the exit code
            cwd=service.directory,
            env=_environment(service),
            pass_fds=(writer,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _environment(service: Service) -> dict[str, str]:
    surroundings = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return surroundings | environment_of(service) | {MARK: service.run_path}
