"""One try-out in a folder and on ports of its own, brought up and down by the real playbooks."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests

from ia0_daemon.local_services import processes, records

REPOSITORY = Path(__file__).resolve().parents[3]
# What `make up` reads from the environment; the developer's own values must not reach the tests.
NAMES = ("ENGINE", "IA0_", "LOG_LEVEL", "MAX_TOKENS", "MODEL_", "OLLAMA_", "TIMEOUT")


@dataclass(frozen=True)
class Play:
    """How a playbook ended."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """The number of tasks that changed something."""
        return self._recap("changed")

    @property
    def said(self) -> str:
        """The output with every run of blanks as one, since long messages are wrapped."""
        return " ".join(self.output.split())

    def _recap(self, word: str) -> int:
        found = re.search(rf"PLAY RECAP[\s\S]*\b{word}=(\d+)", self.output)
        assert found is not None, self.output
        return int(found[1])


@dataclass(frozen=True)
class Site:
    """A folder and three ports; ``environment`` and ``variables`` are edits that stay."""

    folder: Path
    port: int
    engine_port: int
    environment: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def up(self, *arguments: str, **environment: str) -> Play:
        """Run local.yml, but for its proof, which every test makes in its own way."""
        return self._play("local.yml", ("--skip-tags", "prove", *arguments), environment)

    def up_with_proof(self) -> Play:
        """Run local.yml whole, as `make up` does."""
        return self._play("local.yml", (), {})

    def down(self) -> Play:
        """Run local-down.yml."""
        return self._play("local-down.yml", (), {})

    def pid(self, service: str) -> int | None:
        """The main process of ``ia0`` or ``engine``, if it runs."""
        record = records.read(self.folder / "run" / f"{service}.json")
        running = record is not None and processes.is_alive(record.identity)
        return record.identity.pid if record is not None and running else None

    def pids(self) -> dict[str, int | None]:
        """Both main processes."""
        return {"ia0": self.pid("ia0"), "engine": self.pid("engine")}

    def processes(self, service: str) -> set[int]:
        """Every process of a service."""
        return {found.pid for found in processes.marked(str(self.folder / "run" / f"{service}.json"))}

    def generate(self) -> requests.Response:
        """Send the contract's example."""
        body = {
            "model": "qwen2-7b",
            "prompt": "What is a lighthouse for?",
            "params": {"temperature": 0.7, "max_tokens": 32, "top_p": 0.9, "top_k": 40},
        }
        return requests.post(f"http://127.0.0.1:{self.port}/llm/generate", json=body, timeout=120)

    def _play(self, playbook: str, arguments: tuple[str, ...], environment: dict[str, str]) -> Play:
        edits = [word for name, value in self.variables.items() for word in ("-e", f"{name}={value}")]
        own = {
            "IA0_DIR": str(self.folder),
            "IA0_PORT": str(self.port),
            "IA0_ENGINE_PORT": str(self.engine_port),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NAMES)}
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), f"playbooks/{playbook}", *edits, *arguments],
            cwd=REPOSITORY,
            env=inherited | {"LC_ALL": "C.UTF-8"} | own | self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Play(done.returncode, done.stdout)


def listens(port: int) -> bool:
    """Whether anybody answers at the port."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def free_site(folder: Path) -> Site:
    """A site on ports that nobody has now; the daemon takes two that follow each other."""
    while True:
        # Below the range from which the kernel takes ports for callers, so that none gets one meanwhile.
        port = random.randrange(20000, 32000, 4)
        with suppress(OSError), ExitStack() as stack:
            for number in range(port, port + 3):
                stack.enter_context(socket.create_server(("127.0.0.1", number)))
            return Site(folder, port, port + 2)
