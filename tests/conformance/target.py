"""The engine under test: where it is, and what may be done to it.

    Target  = a client, the model's name, and (where the engine is ours) its process
    needs   = what a test asks of the engine; `missing` says why an engine cannot give it

Owns questions about the engine that many tests ask. Never starts an engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import psutil

from tests.conformance.client import Answer, Client

Need = Literal["process", "start", "writes", "second_model", "loopback"]

# An array longer than any answer may be: whatever the model, it goes on writing. In two levels, since
# llama.cpp refuses a grammar that repeats one thing thousands of times; of words, since a number may be
# written as one digit again and again, which ends an answer by itself.
_WORDS = {"type": "array", "items": {"enum": ["one two three"]}, "minItems": 500}
ENDLESS: dict[str, Any] = {"type": "array", "items": _WORDS, "minItems": 500}


@dataclass(frozen=True)
class Target:
    """One engine and one of its models."""

    url: str
    model: str
    second_model: str | None = None
    pid: int | None = None
    models_dir: Path | None = None

    @property
    def client(self) -> Client:
        """A client for it."""
        return Client(self.url)

    def generate(self, prompt: str = "Hi", **fields: Any) -> Answer:
        """One unstreamed answer of /api/generate."""
        return self.client.post("/api/generate", {"model": self.model, "prompt": prompt, **fields})

    def chat(self, messages: list[dict[str, Any]], **fields: Any) -> Answer:
        """One unstreamed answer of /api/chat."""
        return self.client.post("/api/chat", {"model": self.model, "messages": messages, **fields})

    def endless(self, **fields: Any) -> dict[str, Any]:
        """A streamed request whose answer does not end by itself within any test."""
        options = {"num_predict": -1, "temperature": 0, **fields.pop("options", {})}
        body = {"model": self.model, "prompt": "Count.", "format": ENDLESS, "options": options}
        return {**body, **fields}

    def load(self, model: str | None = None, **fields: Any) -> None:
        """Have the model loaded with default options (a no-op where it is)."""
        body = {"model": model or self.model, **fields}
        answer = self.client.post("/api/generate", body)
        assert (answer.status, answer.json()["done_reason"]) == (200, "load"), answer

    def unload(self, model: str | None = None) -> None:
        """Have the model unloaded, and wait until it is gone."""
        name = model or self.model
        self.client.post("/api/generate", {"model": name, "keep_alive": 0})
        wait_until(lambda: self.loaded(name) is None, f"{name} is unloaded")

    def loaded(self, model: str | None = None) -> dict[str, Any] | None:
        """What /api/ps says about the model, or None where it is not loaded."""
        models = self.client.get("/api/ps")["models"]
        return next((entry for entry in models if entry["name"] == (model or self.model)), None)

    def add_bos(self) -> bool:
        """Whether the model's tokenizer puts a BOS in front."""
        info = self.client.send("POST", "/api/show", {"model": self.model}).json()["model_info"]
        return bool(info.get("tokenizer.ggml.add_bos_token", False))

    def runners(self) -> list[psutil.Process]:
        """The engine's children that run a model."""
        assert self.pid is not None, "only for an engine whose process is ours"
        children = psutil.Process(self.pid).children()
        return [child for child in children if "--model" in command_of(child)]

    def incarnation(self) -> object:
        """Something that changes when the model is loaded anew, if our eyes reach that far."""
        return sorted(child.pid for child in self.runners()) if self.pid else None


def command_of(process: psutil.Process) -> list[str]:
    """The arguments of a process, none where it has just gone."""
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def argument(command: list[str], name: str) -> str:
    """The value behind a flag."""
    return command[command.index(name) + 1]


def cpu_seconds(process: psutil.Process) -> float:
    """The processor time that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def anonymous_bytes(pid: int) -> int:
    """RssAnon + VmSwap of a process."""
    return status_bytes(pid, "RssAnon") + status_bytes(pid, "VmSwap")


def status_bytes(pid: int, name: str) -> int:
    """One figure of /proc/<pid>/status, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def missing(url: str, needs: set[str], second_model: str | None, writes: bool) -> str:
    """Why an engine that is not ours cannot give what a test needs; empty where it can."""
    reasons = {
        "process": "looks at processes, files or settings of an engine that is ours",
        "start": "starts an engine of its own, with its own environment or faults",
    }
    for need in ("process", "start"):
        if need in needs:
            return reasons[need]
    if "writes" in needs and not writes:
        return "adds and removes models; --engine-writes allows it"
    if "second_model" in needs and not second_model:
        return "needs a second model; --engine-second-model names one"
    if "loopback" in needs and urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        return "the Host is checked on a loopback listener only"
    return ""


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = 120.0) -> Any:
    """Ask again and again until the condition gives something true; that is the answer."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {timeout_s:g} s it is still not so that {what}")
