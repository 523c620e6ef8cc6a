"""What is measured: the daemon, LiteLLM, Portkey, HAProxy and the bare stub, each with how it is asked.

Owns their configurations. A peer is started once and stays until the end of the run.

    with peer.running(stub): ask at peer.port, peer.path with peer.headers
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ia0_daemon import __version__
from ia0_daemon.keys import new_key
from tests.bench import environments
from tests.daemon_process import DaemonProcess, service_environment
from tests.engine_process import free_port

MODEL = "bench"
CHAT, GENERATE = "/v1/chat/completions", "/llm/generate"
# LiteLLM takes 5 to 8 s here; a busy machine takes longer.
START_LIMIT_S = 120
ROOM = 128  # with the daemon's own defaults; more than the 64 clients of the largest row
UNBOUND = 10_000_000  # limits that count every request and refuse none


@dataclass
class Peer:
    """One thing in front of the stub, or the stub itself."""

    name: str
    label: str
    version: str = ""
    port: int = 0
    path: str = CHAT
    headers: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    start_s: float = 0.0
    """From its launch to the first answer."""

    def body(self, prompt: str, *, stream: bool) -> str:
        """What is sent, as JSON."""
        if self.path == GENERATE:
            asked: dict[str, object] = {"model": MODEL, "prompt": prompt}
        else:
            asked = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
        return json.dumps(asked | ({"stream": True} if stream else {}))

    def ask(self) -> int:
        """Ask once; the status, or 0 where nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_LIMIT_S)
        headers = {"Content-Type": "application/json", **self.headers}
        try:
            connection.request("POST", self.path, self.body("Are you there?", stream=False), headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Its process and all that it has started."""
        own = psutil.Process(self.pid)
        return [own, *own.children(recursive=True)]


@contextmanager
def bare_stub(folder: Path) -> Iterator[Peer]:
    """The engine that all others stand in front of."""
    command = [str(environments.stub())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Peer("stub", "the stub alone", port=int(process.stdout.readline()), pid=process.pid)
        process.stdin.close()  # which it ends with


@contextmanager
def daemon(folder: Path, stub: Peer) -> Iterator[Peer]:
    """Our daemon with everything on, the language detector loaded; only answers are not kept, and each prompt
    is another one anyway.
    """
    plain, hashed = new_key()
    process = DaemonProcess(folder, f"http://127.0.0.1:{stub.port}", _sections(hashed))
    process.environ.update(service_environment())
    headers = {"Authorization": f"Bearer {plain}"}
    peer = Peer("daemon", "IA-0", __version__, process.port, CHAT, headers)
    began = time.monotonic()
    with process:
        peer.pid = process.pid
        if peer.ask() == http.client.NOT_FOUND:
            peer.path = GENERATE
        _wait_until_answering(peer, began, process.log_path)
        yield peer


def _sections(hashed: str) -> dict[str, dict[str, object]]:
    return {
        "engine": {"parallel": ROOM},
        "server": {"threads": ROOM + 16, "max_in_flight": ROOM},
        "models.small": {"name": MODEL, "tag": f"{MODEL}:latest", "aliases": [], "languages": ["pt"]},
        "cache": {"enabled": False},
        "log": {"level": "INFO"},
        "[auth.keys]": {
            "name": "bench",
            "sha256": hashed,
            "requests_per_minute": UNBOUND,
            "tokens_per_minute": UNBOUND,
            "tokens_per_day": UNBOUND,
            "max_concurrent": ROOM,
        },
    }


@contextmanager
def litellm(folder: Path, stub: Peer) -> Iterator[Peer]:
    """LiteLLM's proxy with one worker, without a database, its log at ERROR."""
    made = environments.litellm()
    key = "sk-bench"
    parameters = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{stub.port}/v1",
        "api_key": "sk-none",
    }
    config = {"model_list": [{"model_name": MODEL, "litellm_params": parameters}]}
    (folder / "litellm.yaml").write_text(json.dumps(config))  # which YAML includes
    port = free_port()
    words = ["--config", "litellm.yaml", "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environ = {
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": key,
        "NO_DOCS": "True",
        "PATH": f"{made / 'bin'}:{os.environ['PATH']}",
    }
    peer = Peer("litellm", "LiteLLM", environments.LITELLM, port, headers={"Authorization": f"Bearer {key}"})
    with _running(peer, [str(made / "bin/litellm"), *words], environ, folder):
        yield peer


@contextmanager
def portkey(folder: Path, stub: Peer) -> Iterator[Peer]:
    """Portkey's gateway on Node."""
    node, script = environments.portkey()
    port = free_port()
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{stub.port}/v1",
        "Authorization": "Bearer sk-none",
    }
    environ = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    peer = Peer("portkey", "Portkey", environments.PORTKEY, port, headers=headers)
    with _running(peer, [node, str(script), f"--port={port}", "--headless"], environ, folder):
        yield peer


HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    # Else it holds the small chunks of streams back.
    option http-no-delay
    http-reuse always
listen bench
    bind 127.0.0.1:{port}
    server stub 127.0.0.1:{stub}
"""


@contextmanager
def haproxy(folder: Path, stub: Peer) -> Iterator[Peer]:
    """HAProxy with one thread: what the least of a proxy costs."""
    program = environments.tool("haproxy", "haproxy")
    port = free_port()
    (folder / "haproxy.cfg").write_text(HAPROXY.format(port=port, stub=stub.port))
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout
    peer = Peer("haproxy", "HAProxy", said.split()[2].partition("-")[0], port)
    with _running(peer, [program, "-db", "-f", "haproxy.cfg"], {}, folder):
        yield peer


PEERS = {"daemon": daemon, "litellm": litellm, "portkey": portkey, "haproxy": haproxy}


@contextmanager
def _running(peer: Peer, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Start it, wait for its first answer, and end it with all its children."""
    log = folder / f"{peer.name}.log"
    began = time.monotonic()
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environ},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    peer.pid = process.pid
    try:
        _wait_until_answering(peer, began, log)
        yield
    finally:
        _end(peer, process)


def _wait_until_answering(peer: Peer, began: float, log: Path) -> None:
    while (status := peer.ask()) != http.client.OK:
        lives = psutil.pid_exists(peer.pid) and psutil.Process(peer.pid).status() != psutil.STATUS_ZOMBIE
        if not lives or time.monotonic() - began > START_LIMIT_S:
            said = " / ".join(log.read_text(errors="replace").splitlines()[-3:])
            raise environments.MissingError(f"{peer.label} does not answer ({status}): {said}")
        time.sleep(0.02)
    peer.start_s = time.monotonic() - began


def _end(peer: Peer, process: subprocess.Popen[bytes]) -> None:
    known = peer.processes() if process.poll() is None else []
    for each in known:
        each.terminate()
    _, alive = psutil.wait_procs(known, timeout=10)
    for each in alive:
        each.kill()
    process.wait()


def connect(port: int) -> socket.socket:
    """Connect to a peer of this machine."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
