"""Loads the modules of the role models as Ansible would ship them, and a scripted engine for them.

models.folder, models.engine      module_utils/
models.load("library/models_pull.py")
"""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import ansible.module_utils

ROLE = Path(__file__).resolve().parents[3] / "roles/models"

# A line of a stream, or the seconds for which nothing comes.
Line = dict[str, Any] | float


def load(path: str) -> Any:
    """One file of the role as a module."""
    name = f"ansible.module_utils.{Path(path).stem}" if path.startswith("module_utils") else Path(path).stem
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, ROLE / path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    setattr(ansible.module_utils, Path(path).stem, module)
    spec.loader.exec_module(module)
    return module


folder = load("module_utils/models_folder.py")
engine = load("module_utils/models_engine.py")


class PullServer(ThreadingHTTPServer):
    """Answers each /api/pull with the next of its scripts."""

    daemon_threads = True

    def __init__(self, scripts: Sequence[Sequence[Line]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scripts = list(scripts)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: PullServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        for line in self.server.scripts.pop(0):
            if isinstance(line, float):
                time.sleep(line)
                continue
            try:
                self.wfile.write(json.dumps(line).encode() + b"\n")
            except OSError:  # the caller has left
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@contextmanager
def pulls(*scripts: Sequence[Line]) -> Iterator[PullServer]:
    """An engine that answers pulls so, one script each."""
    with PullServer(scripts) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
