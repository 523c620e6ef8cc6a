"""The engine as a service that the daemon may restart, and the daemon in front of it, in one folder."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

from ia0_daemon.control_client import call
from ia0_daemon.keys import new_key
from ia0_daemon.local_services import manager, records, spec
from tests.daemon_process import DaemonProcess, Sections, to_toml
from tests.engine_process import free_port, make_models

MODEL, SPARE = "smollm2:135m", "spare:135m"
PUBLIC_NAME = "smollm2-135m"
# Three who share the engine's slots, with limits that count and are never met.
KEY_NAMES = ("shop", "desk", "night")
LIMITS = {"requests_per_minute": 1_000_000, "tokens_per_minute": 100_000_000, "tokens_per_day": 10**9}


class World:
    """One engine, one daemon."""

    def __init__(
        self, folder: Path, engine_env: Mapping[str, str], sections: Sections, *, with_keys: bool
    ) -> None:
        self.folder = folder
        port = free_port()
        self.engine_url = f"http://127.0.0.1:{port}"
        make_models(folder / "models", [MODEL, SPARE])
        self.keys = self._make_keys() if with_keys else []
        self._service_file = folder / "engine.toml"
        self._write_service(port, engine_env)
        self.service = spec.load(self._service_file)
        self.daemon = DaemonProcess(folder, self.engine_url, self._sections(sections))

    def _make_keys(self) -> list[str]:
        """Make the file of keys that the daemon reads; gives the keys."""
        made = {name: new_key() for name in KEY_NAMES}
        tables = "".join(
            "[[keys]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
            for table in ({"name": name, "sha256": sha256, **LIMITS} for name, (_, sha256) in made.items())
        )
        (self.folder / "keys.toml").write_text(tables)
        return [plain for plain, _ in made.values()]

    def _write_service(self, port: int, env: Mapping[str, str]) -> None:
        root = str(Path(__file__).resolve().parents[2])
        environment = {
            "OLLAMA_HOST": f"127.0.0.1:{port}",
            "OLLAMA_MODELS": str(self.folder / "models"),
            "PATH": os.environ["PATH"],
            **env,
        }
        service = {
            "name": "engine",
            "command": [sys.executable, "-m", "ia0_daemon.embedded", "serve"],
            "directory": root,
            "log_path": str(self.folder / "engine.log"),
            "run_path": str(self.folder / "engine.run.json"),
            "ready_url": f"{self.engine_url}/api/version",
        }
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in service.items()]
        self._service_file.write_text("".join(lines) + to_toml({"environment": environment}))

    def _sections(self, changes: Sections) -> Sections:
        sections: dict[str, dict[str, object]] = {
            "restart": {"engine_service_file": str(self._service_file)},
            "events": {"path": str(self.folder / "events.db")},
            "backup": {"path": str(self.folder / "backups"), "interval_s": 0},
            "models.small": {"fallbacks": ["spare"]},
            "models.spare": {"name": "spare", "tag": SPARE},
        }
        for name, values in changes.items():
            sections.setdefault(name, {}).update(values)
        return sections

    def command(self, name: str, **args: object) -> Any:
        """Ask the daemon over its Unix socket."""
        return call(self.daemon.socket_path, name, timeout_s=60, args=args)

    def engine_pid(self) -> int:
        """The engine's parent process; 0 in the moment between two of them."""
        record = records.read(Path(self.service.run_path))
        return record.identity.pid if record else 0

    def child_pids(self) -> list[int]:
        """The processes of the loaded models."""
        parent = psutil.Process(self.engine_pid())
        return [child.pid for child in parent.children() if _is_model(child)]

    def signal_engine(self, number: signal.Signals) -> None:
        """Send a signal to the engine's parent."""
        os.kill(self.engine_pid(), number)

    def load(self) -> None:
        """Have the model loaded and answer once."""
        answer = self._ask()
        assert answer.status_code == 200, answer.text

    def remaining(self) -> str:
        """What is left of a key's limits, as an answer says it."""
        return self._ask().headers.get("RateLimit-Remaining", "")

    def _ask(self) -> requests.Response:
        return requests.post(
            f"{self.daemon.url}/llm/generate",
            json={"prompt": "Hi", "params": {"max_tokens": 1}},
            headers={"Authorization": f"Bearer {self.keys[0]}"} if self.keys else {},
            timeout=180,
        )


def _is_model(child: psutil.Process) -> bool:
    try:
        return "--model" in child.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return False


@contextmanager
def world(
    folder: Path, engine_env: Mapping[str, str], sections: Sections, *, with_keys: bool = False
) -> Iterator[World]:
    """Start engine and daemon; leave nothing of them behind."""
    made = World(folder, engine_env, sections, with_keys=with_keys)
    manager.start(made.service)
    try:
        with made.daemon:
            made.load()
            yield made
    finally:
        manager.stop(made.service)
