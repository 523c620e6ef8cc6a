"""Starts a real daemon for a test, and holds that it ends as it should.

    with DaemonProcess(tmp_path, engine.url, {"limits": {"max_tokens": 50}}) as daemon:
        requests.post(daemon.url + "/llm/generate", json={"prompt": "Hi"})

At the end of the block the daemon is sent SIGTERM; its exit code must be 0, and
its log must hold JSON lines alone and no traceback, unless `allow_traceback` is set.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.engine_process import free_port

Sections = Mapping[str, Mapping[str, object]]

MODEL = {
    "name": "smollm2-135m",
    "tag": "smollm2:135m",
    "aliases": ["qwen2-7b", "llama3.1-8b"],
}
TEMPLATE = Path(__file__).parents[1] / "roles" / "ia0_daemon" / "templates" / "process.toml.j2"
# For what must come about; a shared machine may stand still for seconds, again and again.
_LIMIT_S = 180.0
_PAUSE_S = 0.02


class DaemonProcess:
    """One daemon on free ports, with its configuration and its log in a folder."""

    def __init__(self, folder: Path, engine: str, sections: Sections | None = None) -> None:
        self.config_path = folder / "ia0.toml"
        self.log_path = folder / "ia0.log"
        self.socket_path = folder / "ia0.sock"
        self.port = free_port()
        self.health_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.health_url = f"http://127.0.0.1:{self.health_port}"
        self.allow_traceback = False
        self.environ: dict[str, str] = {}
        self.run_by: list[str] = []
        """A command line that ends in running the daemon's, such as `prlimit --nofile=1024`."""
        self._sections: dict[str, dict[str, object]] = {
            "server": {
                "listen": f"127.0.0.1:{self.port}",
                "health_listen": f"127.0.0.1:{self.health_port}",
                "socket_path": str(self.socket_path),
            },
            # A prompt that fills the context takes a minute and more to be read where the cores are shared.
            "engine": {"host": engine, "first_token_timeout_s": 240, "timeout_s": 120},
            "models.small": dict(MODEL),
            "events": {"path": str(folder / "events.db")},
            "auth": {"keys_path": str(folder / "keys.toml"), "usage_path": str(folder / "usage.db")},
            "backup": {"path": str(folder / "backups"), "interval_s": 0},
        }
        self.configure(sections or {})
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, sections: Sections) -> None:
        """Write the configuration with these changes."""
        for name, changes in sections.items():
            self._sections.setdefault(name, {}).update(changes)
        self.config_path.write_text(to_toml(self._sections))

    def drop(self, section: str) -> None:
        """Write the configuration without one of the sections that it begins with."""
        del self._sections[section]
        self.configure({})

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> DaemonProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.stop()
        if error is None:
            assert code == 0, self.log()
            assert self.allow_traceback or "Traceback" not in self.log(), self.log()
            # Not splitlines(), which also parts where a text within a line has U+0085 or U+2028.
            assert all(line.startswith("{") for line in self.log().split("\n") if line), self.log()

    def start(self) -> None:
        """Start it, and wait until it says that it lives."""
        command = [
            *self.run_by,
            sys.executable,
            "-m",
            "ia0_daemon",
            "serve",
            "--config",
            str(self.config_path),
        ]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log)
        self.wait_for(self._lives)

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code. SIGKILL where it does not end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(_LIMIT_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def log(self) -> str:
        """What the daemon has logged so far, standard error included."""
        return self.log_path.read_text(errors="replace")

    def log_lines(self, **wanted: object) -> list[dict[str, Any]]:
        """The log's objects that have these values."""
        # Not splitlines(), which also parts where a text within a line has U+0085 or U+2028.
        whole = self.log().rpartition("\n")[0].split("\n")
        lines = [json.loads(line) for line in whole if line.startswith("{")]
        return [line for line in lines if wanted.items() <= line.items()]

    def wait_for_log(self, **wanted: object) -> dict[str, Any]:
        """Wait for a line with these values, and give it."""
        self.wait_for(lambda: bool(self.log_lines(**wanted)))
        return self.log_lines(**wanted)[-1]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; the log is the message where it does not."""
        until = time.monotonic() + _LIMIT_S
        while not condition():
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(_PAUSE_S)

    def metric(self, series: str) -> float:
        """The value of one series of /metrics, as it is written there; 0 where there is none."""
        status, body = get(self.health_port, "/metrics")
        assert status == 200
        values = [line.rpartition(" ") for line in body.decode().splitlines()]
        return next((float(value) for name, _, value in values if name == series), 0.0)

    def _lives(self) -> bool:
        try:
            return get(self.health_port, "/health/live", timeout_s=5)[0] == 200
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        ours = ("IA0_", "OLLAMA_", "MODEL_", "MAX_TOKENS", "TIMEOUT", "LOG_LEVEL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))
        return {**kept, "PYTHONPATH": path, **self.environ}


def service_environment() -> dict[str, str]:
    """With what the role starts the daemon: what is measured runs as it does for its users."""
    (line,) = re.findall(r"^environment = .*$", TEMPLATE.read_text(), re.MULTILINE)
    environment: dict[str, str] = tomllib.loads(line)["environment"]
    return environment


def get(port: int, path: str, timeout_s: float = 60) -> tuple[int, bytes]:
    """GET from this machine: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def to_toml(sections: Sections) -> str:
    """Write sections as TOML; JSON's numbers, texts and lists are TOML's, too."""
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in section.items())
        for name, section in sections.items()
    )


def wait_until_refused(port: int) -> None:
    """Wait until nobody takes connections at a port of this machine."""
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it was closed just now
    raise AssertionError(f"port {port} still takes connections")
