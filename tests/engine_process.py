"""Starts a real embedded engine for a test and leaves nothing of it behind.

    with EngineProcess(tmp_path, env={"IA0_ENGINE_FAULT_WEDGE": "1"}) as engine:
        requests.get(engine.url + "/api/tags")

The models folder is laid out as Ollama's; the packaged weights are linked, not
copied. ``stop`` and ``kill`` end the engine early (SIGTERM, SIGKILL); children
that a SIGKILL orphans are ended when the block ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from msgspec.json import encode

from ia0_daemon.embedded.gguf import read
from ia0_daemon.embedded.handle_create import config_of
from ia0_daemon.embedded.names import parse_name
from ia0_daemon.embedded.store import CONFIG_TYPE, LAYER_PREFIX, Layer, Manifest, Store
from ia0_daemon.embedded.template import CHATML, CHATML_STOPS
from ia0_daemon.embedded.weights import packaged_weights

MODEL = "smollm2:135m"
# The packaged file's digest, so that no test has to read 98 MB to name it.
WEIGHTS_DIGEST = "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_START_LIMIT_S = 90.0
_PAUSE_S = 0.02
# A port is looked up, and taken by a process that is a second in starting. So it must not be one of those
# that the kernel gives meanwhile to who asks for any (from 32768 on), nor a try-out's (from 20000 on), nor
# that of another process which runs tests: suites run side by side, and each has a block.
_PORTS = range(10_000, 20_000)
_PORTS_OF_A_PROCESS = 250


class EngineProcess:
    """One engine on a free port with its own models folder and log."""

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str] | None = None,
        models: Sequence[str] = (MODEL,),
        *,
        template: str = CHATML,
        wait: bool = True,
    ) -> None:
        self.models_path = folder / "models"
        self.log_path = folder / "engine.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait = wait
        self._env = {**_clean_environment(), "OLLAMA_HOST": f"127.0.0.1:{self.port}", **(env or {})}
        self._env.setdefault("OLLAMA_MODELS", str(self.models_path))
        self._process: subprocess.Popen[bytes] | None = None
        self._known: dict[int, psutil.Process] = {}
        make_models(self.models_path, models, template)

    @property
    def pid(self) -> int:
        """The engine's process id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> EngineProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the engine (again, on the same port and folder) and wait until it answers."""
        log = self.log_path.open("ab")
        with log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ia0_daemon.embedded", "serve"], env=self._env, stderr=log, stdout=log
            )
        if self._wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait for an answer of /api/version."""
        self._wait_for(self._is_ready)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, while the engine lives; where it does not, the log is the message."""
        until = time.monotonic() + _START_LIMIT_S
        while not condition():
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(_PAUSE_S)  # between two looks

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/api/version", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def children(self) -> list[psutil.Process]:
        """The children that are alive, one a loaded model; remembered, so that orphans are found too."""
        try:
            for child in psutil.Process(self.pid).children(recursive=True):
                self._known[child.pid] = child
        except psutil.NoSuchProcess:
            pass
        return [child for child in self._known.values() if _is_alive(child)]

    def log(self) -> str:
        """What the engine has logged so far."""
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, text: str) -> str:
        """Wait until the log holds a text: the line of an answer may come after it. The log."""
        self._wait_for(lambda: text in self.log())
        return self.log()

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code."""
        assert self._process is not None
        self.children()
        self._process.terminate()
        return self._process.wait(_START_LIMIT_S)

    def kill(self) -> None:
        """SIGKILL, and wait; the children live on, as Ollama's do."""
        assert self._process is not None
        self.children()
        self._process.kill()
        self._process.wait(_START_LIMIT_S)

    def close(self) -> None:
        """End everything that this engine has started."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        for child in self.children():
            with suppress(psutil.NoSuchProcess):  # it ends by itself just now
                child.kill()
            child.wait(_START_LIMIT_S)

    def post(self, path: str, value: Any, timeout: float = 180.0) -> tuple[int, list[dict[str, Any]]]:
        """POST a JSON object; the status and the answer's lines (one for an object)."""
        request = urllib.request.Request(
            self.url + path, json.dumps(value).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, _lines(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lines(error.read())

    def get(self, path: str, timeout: float = 30.0) -> Any:
        """GET a JSON object."""
        with urllib.request.urlopen(self.url + path, timeout=timeout) as answer:
            return json.loads(answer.read())


def _lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines() if line.strip()]


def free_port() -> int:
    """A loopback port that nobody listens on, and that nobody else is given for a while."""
    for _ in range(_PORTS_OF_A_PROCESS):
        port = next(_ports())
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"all of the {_PORTS_OF_A_PROCESS} ports of this process are taken")


@cache
def _ports() -> Iterator[int]:
    """The ports of this process, one after the other and again; the first of its block is its claim to it."""
    for first in _PORTS[::_PORTS_OF_A_PROCESS]:
        claim = socket.socket()
        try:
            claim.bind(("127.0.0.1", first))
        except OSError:
            claim.close()
            continue
        claim.detach()  # held until this process ends
        return cycle(range(first + 1, first + _PORTS_OF_A_PROCESS))
    raise AssertionError(f"every block of the ports {_PORTS} is taken")


def make_models(folder: Path, names: Sequence[str], template: str = CHATML) -> Store:
    """A models folder in Ollama's layout, in which every name has the packaged weights."""
    store = Store(folder)
    store.prepare()
    weights = packaged_weights()
    blob = store.blob_path(WEIGHTS_DIGEST)
    if not blob.exists():
        _link(weights, blob)
    for name in names:
        layers = [Layer(LAYER_PREFIX + "model", WEIGHTS_DIGEST, weights.stat().st_size)]
        layers.append(store.add_blob(template.encode(), LAYER_PREFIX + "template")[0])
        layers.append(store.add_blob(encode({"stop": list(CHATML_STOPS)}), LAYER_PREFIX + "params")[0])
        config = store.add_blob(encode(config_of(read(weights))), CONFIG_TYPE)[0]
        store.write_manifest(parse_name(name), Manifest(config, layers))
    return store


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        target.symlink_to(source)


def weights_digest() -> str:
    """The digest of the packaged file, read from the file itself."""
    with packaged_weights().open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _clean_environment() -> dict[str, str]:
    """This process's environment without anything that would configure an engine."""
    prefixes = ("OLLAMA_", "IA0_", "LLAMA_ARG_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))
    # llama.cpp's threads wait for each other by spinning, which takes many times as long on a busy machine.
    return {**kept, "PYTHONPATH": path, "LLAMA_ARG_THREADS": "1"}


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
