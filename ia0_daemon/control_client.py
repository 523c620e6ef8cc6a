"""The Unix socket through which the ``ia0`` command reaches the daemon: the command's side.

Owns the words for everything that can go wrong on the way. Never retries.

    call(path, command, timeout_s) -> the result, or ControlError
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ia0_daemon.control_file import connect

# A status of a few models has a few KiB.
_LONGEST_ANSWER_BYTES = 16 * 2**20


class ControlError(Exception):
    """The daemon did not do it, or could not be reached; ``details`` are lines for a person."""

    def __init__(self, message: str, details: list[str] | None = None) -> None:
        super().__init__(message)
        self.details = details or []


class NoDaemon(ControlError):
    """Nobody listens there: no daemon runs, or it is just starting."""


def call(
    path: str | Path,
    command: str,
    timeout_s: float = 10.0,
    args: Mapping[str, object] | None = None,
    told_by: str = "",
) -> object:
    """What the daemon answers to a command; ``told_by`` says where the path was read."""
    request = {"command": command, "args": dict(args or {})}
    line = _exchange(Path(path), json.dumps(request).encode() + b"\n", timeout_s, told_by)
    return _result(line)


def _exchange(path: Path, request: bytes, timeout_s: float, told_by: str) -> bytes:
    source = f" ({told_by})" if told_by else ""
    try:
        return _ask(path, request, timeout_s)
    except (FileNotFoundError, NotADirectoryError):
        raise NoDaemon(f"no socket at {path}{source}: is the daemon running?") from None
    except ConnectionRefusedError:
        raise NoDaemon(f"nobody answers at {path}{source}: the daemon has died or is just starting") from None
    except PermissionError:
        raise ControlError(
            f"this user may not reach {path}{source}: ask as root or as the daemon's user"
        ) from None
    except TimeoutError:
        raise ControlError(f"the daemon did not answer within {timeout_s:g} s at {path}{source}") from None
    except OSError as error:
        raise ControlError(f"cannot talk to the daemon at {path}{source}: {error}") from None


def _ask(path: Path, request: bytes, timeout_s: float) -> bytes:
    deadline = time.monotonic() + timeout_s
    answer = b""
    # A daemon that refuses at once may close before it has read: its answer is there all the same.
    with connect(path, timeout_s) as connection, suppress(BrokenPipeError, ConnectionResetError):
        with suppress(BrokenPipeError):
            connection.sendall(request)
        while not answer.endswith(b"\n") and len(answer) < _LONGEST_ANSWER_BYTES:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = connection.recv(65536)
            if not chunk:
                break
            answer += chunk
    return answer


def _result(line: bytes) -> object:
    try:
        answer = json.loads(line)
        ok = answer["ok"]
    except (ValueError, KeyError, TypeError):
        raise ControlError("the daemon broke off its answer; its log says why") from None
    if ok is not True:
        raise ControlError(
            str(answer.get("error", "refused")), [str(each) for each in answer.get("details", [])]
        )
    return answer.get("result")
