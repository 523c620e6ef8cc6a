"""Whether a service answers, and why it does not.

Owns the asking and the diagnosis from the log's end. Never starts or ends anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import requests

from ia0_daemon.local_services.errors import StartError
from ia0_daemon.local_services.spec import Service

_POLL_S = 0.1
_ASK_TIMEOUT_S = 2.0
_TAIL_BYTES = 4096
_TAIL_LINES = 15


def wait(service: Service, alive: Callable[[], bool]) -> None:
    """Return when ``ready_url`` answers 200; StartError when the process ends before, or time is up."""
    deadline = time.monotonic() + service.ready_timeout_s
    while alive():
        if not service.ready_url or answers(service.ready_url):
            return
        if time.monotonic() > deadline:
            late = f"{service.ready_url} did not answer within {service.ready_timeout_s:g} s"
            raise StartError(f"{service.name}: {late}{_tail(service)}")
        time.sleep(_POLL_S)
    raise StartError(ended(service))


def answers(url: str) -> bool:
    """Whether the address answers 200 now."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the user's must not be asked for this machine
        try:
            return session.get(url, timeout=_ASK_TIMEOUT_S).status_code == HTTPStatus.OK
        except requests.RequestException:
            return False


def ended(service: Service) -> str:
    """The text for a process that ended by itself."""
    return f"{service.name}: the process ended by itself{_tail(service)}"


def _tail(service: Service) -> str:
    path = Path(service.log_path)
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    except OSError as error:
        return f"; its log {path} cannot be read: {error.strerror}"
    return f"; the end of {path}:\n" + "\n".join(f"  {line}" for line in lines)
