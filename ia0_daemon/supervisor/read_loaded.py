"""Whether a child has loaded its model, as the child itself says.

llama-server answers `GET /health` with 503 while it loads and with 200 then;
the older `ollama runner` answers with 200 always and a number as its status.
Asked only of children that have no baseline yet. Never waits long: whoever does
not answer has not said.
"""

from __future__ import annotations

import http.client
from http import HTTPStatus

import msgspec

TIMEOUT_S = 0.3
# Of `ollama runner` (llm/server.go, ServerStatus): ready, and ready with every slot taken.
_RUNNER_READY = frozenset({0, 1})
_LONGEST_ANSWER = 4096


def has_loaded(port: int, timeout_s: float = TIMEOUT_S) -> bool | None:
    """Ask the child on this loopback port; None where it does not say."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        return _meaning(answer.status, answer.read(_LONGEST_ANSWER))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _meaning(status: int, body: bytes) -> bool | None:
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return False
    if status != HTTPStatus.OK:
        return None
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    told = value.get("status") if isinstance(value, dict) else None
    if isinstance(told, int):
        return told in _RUNNER_READY
    return True if told == "ok" else None
