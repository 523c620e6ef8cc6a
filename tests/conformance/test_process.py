"""The engine's processes: a parent, one child a model, their arguments and their memory."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.conformance.conftest import Starter
from tests.conformance.target import Target, anonymous_bytes, argument, command_of, status_bytes, wait_until

sentence = pytest.mark.sentence
pytestmark = pytest.mark.needs("process")

MIB = 1024 * 1024
SHORT = {"num_predict": 2, "temperature": 0}


def child(engine: Target) -> psutil.Process:
    """The child that runs the engine's model, with default options."""
    engine.load()
    (runner,) = [one for one in engine.runners() if _blob_of(engine, engine.model) == _blob(one)]
    return runner


def _blob(runner: psutil.Process) -> str:
    return Path(argument(runner.cmdline(), "--model")).name


def _blob_of(engine: Target, model: str) -> str:
    """The name of the blob that a model's manifest calls its weights."""
    assert engine.models_dir is not None
    (path,) = (engine.models_dir / "manifests").glob("*/library/" + model.replace(":", "/"))
    layers = json.loads(path.read_text(encoding="utf-8"))["layers"]
    kind = "application/vnd.ollama.image.model"
    (digest,) = [layer["digest"] for layer in layers if layer["mediaType"] == kind]
    return str(digest).replace(":", "-")


@sentence("process.one-child-per-model", "standin.1-process-tree")
def test_each_loaded_model_has_one_child(engine: Target) -> None:
    assert engine.second_model is not None
    engine.load()
    engine.load(engine.second_model)
    assert len(engine.runners()) == 2
    for runner in engine.runners():
        assert "llama-server" in (runner.name(), Path(runner.cmdline()[0]).name)
    engine.unload(engine.second_model)
    assert len(engine.runners()) == 1
    engine.unload()
    assert engine.runners() == []


@sentence("process.pid-of-a-model", "standin.1-process-tree")
def test_the_digest_in_the_arguments_is_that_of_the_manifest(engine: Target) -> None:
    assert engine.second_model is not None
    engine.load()
    engine.load(engine.second_model)
    blobs = {_blob(runner) for runner in engine.runners()}
    assert blobs == {_blob_of(engine, engine.model), _blob_of(engine, engine.second_model)}
    engine.unload(engine.second_model)


@sentence("process.child-arguments", "process.context-times-slots", "standin.1-process-tree")
def test_the_child_s_arguments_are_those_of_ollama(engine: Target) -> None:
    command = child(engine).cmdline()
    model, port = argument(command, "--model"), argument(command, "--port")
    assert engine.models_dir is not None
    assert Path(model).parent == engine.models_dir / "blobs"
    start = command.index("--model")
    # fmt: off
    assert command[start : start + 16] == [
        "--model", model, "--port", port, "--host", "127.0.0.1", "--no-webui", "--offline", "-c", "4096",
        "-np", "1", "--log-verbosity", "4", "--no-log-prefix", "--no-log-timestamps",
    ]
    # fmt: on
    assert argument(command, "--flash-attn") in ("on", "off", "auto")


@sentence("process.child-arguments")
def test_the_child_listens_on_the_port_of_its_arguments(engine: Target) -> None:
    runner = child(engine)
    listening = [one.laddr for one in runner.net_connections() if one.status == psutil.CONN_LISTEN]
    assert [(one.ip, str(one.port)) for one in listening] == [
        ("127.0.0.1", argument(runner.cmdline(), "--port"))
    ]


@sentence("process.context-shift-argument")
def test_the_context_shift_is_an_argument(engine: Target) -> None:
    assert "--context-shift" in child(engine).cmdline()
    assert engine.generate(shift=False, options=SHORT).status == 200
    (runner,) = engine.runners()
    assert "--context-shift" not in runner.cmdline()


@sentence("process.prompt-cache-not-bounded")
def test_no_argument_bounds_the_prompt_cache(engine: Target) -> None:
    assert not {"--cache-ram", "-cram"} & set(child(engine).cmdline())


@sentence("process.child-environment", "process.prompt-cache-not-bounded")
@pytest.mark.needs("start")
def test_the_child_inherits_the_environment(start_engine: Starter) -> None:
    engine = start_engine(LLAMA_ARG_CACHE_RAM="64")
    environment = child(engine).environ()
    assert environment["LLAMA_ARG_CACHE_RAM"] == "64"


@sentence("process.weights-are-mapped", "standin.1-process-tree")
def test_the_weights_are_mapped_from_the_blob(engine: Target) -> None:
    runner = child(engine)
    model = argument(runner.cmdline(), "--model")
    assert any(_same_file(one.path, model) for one in runner.memory_maps())
    assert status_bytes(runner.pid, "RssFile") > 60 * MIB


@sentence("process.no-mapping-on-cpu", "endpoints.ps-on-cpu", "standin.9-cpu")
@pytest.mark.needs("start")
def test_without_a_gpu_the_weights_are_read_and_size_vram_is_zero(start_engine: Starter) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_CPU_ONLY="1")
    runner = child(engine)
    loaded = engine.loaded()
    assert loaded is not None
    assert loaded["size_vram"] == 0
    assert loaded["size"] > 60 * MIB
    model = argument(runner.cmdline(), "--model")
    assert not any(_same_file(one.path, model) for one in runner.memory_maps())
    assert status_bytes(runner.pid, "RssAnon") > 60 * MIB


def _same_file(path: str, other: str) -> bool:
    return path.startswith("/") and Path(path).exists() and Path(path).samefile(other)


@sentence("process.server-is-small")
def test_the_server_is_small_beside_its_child(engine: Target) -> None:
    runner = child(engine)
    assert engine.pid is not None
    assert anonymous_bytes(engine.pid) < 100 * MIB
    assert psutil.Process(engine.pid).memory_info().rss < runner.memory_info().rss


@sentence("process.growth-is-anonymous", "process.ps-sizes-are-of-load-time", "standin.1-process-tree")
@pytest.mark.needs("start")
def test_a_leak_is_anonymous_memory_of_the_child_that_ps_does_not_show(start_engine: Starter) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_LEAK_MB_PER_REQUEST="20")
    runner = child(engine)
    assert engine.generate(options=SHORT).status == 200
    before, sizes = anonymous_bytes(runner.pid), _sizes(engine)
    for _ in range(5):
        assert engine.generate(options=SHORT).status == 200
    # The child leaks on a thread of its own, which may be behind its answers.
    wait_until(lambda: anonymous_bytes(runner.pid) - before > 90 * MIB, "the memory is held")
    assert _sizes(engine) == sizes


def _sizes(engine: Target) -> tuple[int, int]:
    loaded = engine.loaded()
    assert loaded is not None
    return loaded["size"], loaded["size_vram"]


@sentence("process.sigkill-orphans", "standin.3-signals")
@pytest.mark.needs("start")
def test_a_killed_server_leaves_its_child_behind(start_engine: Starter) -> None:
    engine = start_engine()
    orphan = child(engine)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    try:
        wait_until(lambda: orphan.ppid() != engine.pid, "the server is gone")
        assert orphan.is_running()
        assert "--model" in command_of(orphan)
    finally:
        orphan.kill()
