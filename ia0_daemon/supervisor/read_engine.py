"""The engine's processes, and which model each of them holds.

    pid of the parent -> read_tree -> a child for each process with a model -> EngineTree

Owns the command lines of Ollama's children: `llama-server --model BLOB` (since
0.30), `ollama runner --model BLOB`, and `ollama_llama_server --model BLOB`. A
process without a model (the parent; a llama-server that only looks for GPUs)
counts in the total alone. Never asks the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from ia0_daemon.supervisor.read_process import Process, read_processes, read_tree
from ia0_daemon.supervisor.samples import Child, EngineTree, Identity

NameOf = Callable[[Identity, "ChildArguments"], str]
"""Gives the engine's name of a child's model."""

_BLOB = re.compile(r"(?:(?P<models>.*)/)?blobs/sha256[-:](?P<hex>[0-9a-f]{64})")


@dataclass(frozen=True)
class ChildArguments:
    """What a child's command line says."""

    model: str
    """The value of `--model` as it is."""
    digest: str
    """`sha256:<hex>`, or empty where the model is no blob."""
    models_path: str
    """The engine's models folder, or empty."""
    port: int | None
    """Where the child answers, on loopback."""


def child_arguments(arguments: tuple[str, ...]) -> ChildArguments | None:
    """What a command line says; None where it names no model."""
    model = _value(arguments, "--model")
    if not model:
        return None
    blob = _BLOB.fullmatch(model)
    port = _value(arguments, "--port")
    return ChildArguments(
        model=model,
        digest=f"sha256:{blob['hex']}" if blob else "",
        models_path=(blob["models"] or "") if blob else "",
        port=int(port) if port.isascii() and port.isdigit() else None,
    )


def read_engine(
    proc: Path, pid: int, name_of: NameOf, also: Collection[int] = ()
) -> tuple[EngineTree | None, dict[Identity, ChildArguments]]:
    """The engine's tree, None where its parent process has ended; and the arguments of its children.

    `also`: processes that belong to it although no parent says so any more.
    """
    processes = read_tree(proc, pid)
    seen = {process.stat.pid for process in processes}
    processes += read_processes(proc, [each for each in also if each not in seen])
    if not processes or processes[0].stat.pid != pid:
        return None, {}
    children = []
    told: dict[Identity, ChildArguments] = {}
    for process in processes[1:]:
        arguments = child_arguments(process.arguments)
        if arguments is not None:
            child = _child(process, arguments, name_of)
            children.append(child)
            told[child.identity] = arguments
    children.sort(key=lambda child: (child.tag, child.pid))
    held = sum(process.memory.anon + process.memory.swap for process in processes)
    return EngineTree(pid, held, tuple(children), processes[0].stat.started), told


def _child(process: Process, arguments: ChildArguments, name_of: NameOf) -> Child:
    identity = Identity(process.stat.pid, process.stat.started)
    return Child(
        pid=identity.pid,
        started=identity.started,
        tag=name_of(identity, arguments),
        digest=arguments.digest,
        rss_anon_bytes=process.memory.anon,
        swap_bytes=process.memory.swap,
        rss_file_bytes=process.memory.file,
    )


def _value(arguments: tuple[str, ...], flag: str) -> str:
    """The value of a flag, as `--flag value` or `--flag=value`; empty where there is none."""
    for index, argument in enumerate(arguments):
        if argument == flag and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
    return ""
