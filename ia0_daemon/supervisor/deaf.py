"""Whether a model's process answers at all: llama-server answers /health also while it reads a long prompt.

A process that is stopped, or stuck in the kernel, does not.
"""

from __future__ import annotations

import http.client

import psutil

# Far more than a busy process needs, and little beside the silence that has come before.
TIMEOUT_S = 3.0


def is_deaf(pid: int) -> bool:
    """Ask the process on the port of its command line; a process without one is not judged."""
    port = _port(pid)
    if port is None:
        return False
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except TimeoutError:
        return True
    except (OSError, http.client.HTTPException):
        return False  # it has just ended: the engine knows, and its requests are told
    finally:
        connection.close()
    return False


def _port(pid: int) -> int | None:
    try:
        arguments = psutil.Process(pid).cmdline()
        return int(arguments[arguments.index("--port") + 1])
    except (psutil.Error, ValueError, IndexError):
        return None
