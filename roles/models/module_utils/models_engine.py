"""Asks an Ollama over its HTTP API, with the standard library alone.

    Engine(url).tags() ; .pull(tag, report) ; .has_blob(digest) ; .bring_blob(...) ; .create(fields)

Owns the requests, the watchdog of a pull and what its errors mean: a stream says
200 and then fails in its last line, and lines go on coming while no byte does.
Never reads the models folder.
"""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# What a line of a pull says: status, digest, completed, total.
Report = Callable[[str, str, int, int], None]
Lines = queue.SimpleQueue[Any]

_CONNECT_S = 30
_WAIT_S = 0.2
# What the engine says in the last line, and what it means; the first that fits.
FATAL = {
    "file does not exist": "the registry does not know this model; correct models_wanted in the inventory",
    "no space left on device": "the disk of models_dir_path is full; make room, or choose another folder",
    "insecure protocol http": "the model's registry speaks http, which Ollama refuses; name one with https",
    "invalid model name": "this is no name of a model; correct models_wanted in the inventory",
    "pull access denied": "the registry asks for an account; bring the model otherwise (source: host)",
}
# The rest is tried again; this is what most of it means.
PASSING = "the registry cannot be reached, or broke off; see to the host's way out, or say source: host"


class EngineError(Exception):
    """The engine refused or failed; ``fatal`` when another try would fail as well."""

    def __init__(self, text: str, *, fatal: bool = False) -> None:
        super().__init__(text)
        self.fatal = fatal


class Engine:
    """One engine, by the URL at which it listens."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self._host, self._port = parts.hostname or "", parts.port or 11434

    def tags(self) -> dict[str, str]:
        """The digest of each model by its name."""
        models = self._json("GET", "/api/tags")["models"]
        return {model["name"]: model["digest"].removeprefix("sha256:") for model in models}

    def has_blob(self, digest: str) -> bool:
        """Whether the engine has this blob."""
        return self._ask("HEAD", f"/api/blobs/{digest}")[0] == 200

    def bring_blob(self, digest: str, path: str, timeout_s: float) -> None:
        """Send a file as the blob of this digest; the engine refuses other bytes."""
        connection = self._connection(timeout_s)
        size = Path(path).stat().st_size
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with Path(path).open("rb") as file:
            connection.request("POST", f"/api/blobs/{digest}", body=file, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        connection.close()
        if answer.status not in (200, 201):
            raise EngineError(f"the engine refuses the file: {_text_of(text)}", fatal=True)

    def create(self, fields: dict[str, Any], timeout_s: float) -> None:
        """Make a model; returns when it is there."""
        status, text = self._ask("POST", "/api/create", {**fields, "stream": False}, timeout_s)
        if status != 200:
            raise EngineError(f"/api/create answered {status}: {_text_of(text)}", fatal=True)

    def delete(self, tag: str) -> None:
        """Remove a model, with the blobs that only it needs."""
        status, text = self._ask("DELETE", "/api/delete", {"model": tag})
        if status not in (200, 404):
            raise EngineError(f"/api/delete answered {status}: {_text_of(text)}")

    def _json(self, method: str, path: str) -> Any:
        status, text = self._ask(method, path)
        if status != 200:
            raise EngineError(f"{self.url}{path} answered {status}: {_text_of(text)}")
        return json.loads(text)

    def _ask(
        self, method: str, path: str, body: Any = None, timeout_s: float = _CONNECT_S
    ) -> tuple[int, str]:
        connection = self._connection(timeout_s)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"the engine at {self.url} does not answer: {error}") from error
        finally:
            connection.close()

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        # Never through a proxy: the engine is this host's.
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)

    def pull(self, tag: str, stall_s: float, deadline: float, report: Report) -> None:
        """Pull once. ``report(status, digest, completed, total)`` sees every line; it may raise."""
        connection = self._connection(max(deadline - time.monotonic(), 1))
        lines: Lines = queue.SimpleQueue()
        way = None
        try:
            connection.request("POST", "/api/pull", body=json.dumps({"model": tag, "stream": True}))
            way = connection.sock
            reader = threading.Thread(target=_read_lines, args=(connection, lines), daemon=True)
            reader.start()
            _watch(lines, stall_s, deadline, report)
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"the engine at {self.url} does not answer: {error}") from error
        finally:
            # The engine ends a download when nobody waits for it any more; its parts stay for the next pull.
            if way is not None:
                with suppress(OSError):
                    way.shutdown(socket.SHUT_RDWR)
            connection.close()


def _read_lines(connection: http.client.HTTPConnection, lines: Lines) -> None:
    """Hand each line of the answer on, then None; a failure is handed on as it is."""
    try:
        answer = connection.getresponse()
        for line in answer:
            lines.put(json.loads(line))
        lines.put(None)
    except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
        lines.put(EngineError(f"the engine's answer broke off: {error}"))


def _watch(lines: Lines, stall_s: float, deadline: float, report: Report) -> None:
    """Read until success; EngineError on an error, a stall, a silent end or when the time is over."""
    seen: dict[str, int] = {}
    moved = time.monotonic()
    status = "no answer yet"
    while True:
        now = time.monotonic()
        if now > deadline:
            raise EngineError("the time for this model is over", fatal=True)
        if now - moved > stall_s and not status.startswith(("verifying", "writing", "removing")):
            raise EngineError(f"no byte came for {stall_s} s ({status})")
        try:
            line = lines.get(timeout=_WAIT_S)
        except queue.Empty:
            continue
        if _is_end(line):
            return
        digest, completed = line.get("digest", ""), line.get("completed", 0)
        # The same line again is no progress: Ollama repeats it 16 times a second.
        if line["status"] != status or completed > seen.get(digest, 0):
            moved = time.monotonic()
        status, seen[digest] = line["status"], max(completed, seen.get(digest, 0))
        report(status, digest, completed, line.get("total", 0))


def _is_end(line: Any) -> bool:
    if isinstance(line, EngineError):
        raise line
    if line is None:
        raise EngineError("the engine's answer ended without success")
    if "error" in line:
        raise explained(line["error"])
    return bool(line["status"] == "success")


def explained(text: str) -> EngineError:
    """The engine's words, with what they mean."""
    for words, meaning in FATAL.items():
        if words in text:
            return EngineError(f"{meaning} (the engine says: {text})", fatal=True)
    return EngineError(f"{PASSING} (the engine says: {text})")


def _text_of(body: str) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body
