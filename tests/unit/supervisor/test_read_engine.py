"""The children of every version of Ollama are recognised, and named after their models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ia0_daemon.supervisor.read_engine import ChildArguments, child_arguments, read_engine
from ia0_daemon.supervisor.read_models import RETRY_S, ModelNames, name_of, stand_in
from ia0_daemon.supervisor.samples import Identity
from tests.unit.supervisor.memory_builders import MIB, FakeProc

HEX = "ab" * 32
BLOB = f"/srv/models/blobs/sha256-{HEX}"
OWNER = Identity(1, 1)


def manifest(models: Path, name: str, digest: str, kind: str = "model") -> None:
    path = models / "manifests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    layer = {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest, "size": 1}
    path.write_text(json.dumps({"schemaVersion": 2, "layers": [layer]}))


def arguments_of(models: Path, digit: str = "ab") -> ChildArguments:
    found = child_arguments(("llama-server", "--model", str(models / "blobs" / f"sha256-{digit * 32}")))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "line",
    [
        ["/usr/lib/ollama/llama-server", "--model", BLOB, "--port", "4711", "--host", "127.0.0.1"],
        ["/usr/bin/ollama", "runner", "--model", BLOB, "--ctx-size", "4096", "--port", "4711"],
        ["/tmp/ollama1/runners/ollama_llama_server", "--model", BLOB, "--port", "4711"],
        ["llama-server", f"--model={BLOB}", "--port=4711"],
    ],
    ids=["llama-server", "runner", "ollama_llama_server", "equals"],
)
def test_every_kind_of_child_is_recognised(line: list[str]) -> None:
    assert child_arguments(tuple(line)) == ChildArguments(BLOB, f"sha256:{HEX}", "/srv/models", 4711)


@pytest.mark.parametrize(
    "line", [["llama-server", "--list-devices"], ["ollama", "serve"], [""], ["x", "--model"]]
)
def test_a_process_without_a_model_is_no_child(line: list[str]) -> None:
    assert child_arguments(tuple(line)) is None


def test_a_model_that_is_no_blob_stands_for_itself() -> None:
    found = child_arguments(("ollama", "runner", "--mlx-engine", "--model", "/m/qwen3-mlx", "--port", "x"))
    assert found == ChildArguments("/m/qwen3-mlx", "", "", None)
    assert stand_in(found) == "qwen3-mlx"


def test_the_total_counts_every_process_and_the_children_only_those_with_models(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.process(10, 1, ["ollama", "serve"], anon=5 * MIB)
    proc.process(11, 10, ["llama-server", "--model", BLOB], anon=70 * MIB, swap=30 * MIB, file=900 * MIB)
    proc.process(12, 10, ["llama-server", "--list-devices"], anon=7 * MIB)
    engine, _ = read_engine(proc.path, 10, lambda _, told: told.digest[:9])
    assert engine is not None
    assert engine.held_bytes == 112 * MIB
    assert engine.rest_bytes == 12 * MIB
    (child,) = engine.children
    assert (child.pid, child.tag, child.held_bytes) == (11, "sha256:ab", 100 * MIB)
    assert child.rss_file_bytes == 900 * MIB


def test_an_engine_that_has_ended_is_none(tmp_path: Path) -> None:
    assert read_engine(FakeProc(tmp_path).path, 10, lambda *_: "") == (None, {})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("registry.ollama.ai/library/qwen2/7b", "qwen2:7b"),
        ("registry.ollama.ai/someone/qwen2/7b", "someone/qwen2:7b"),
        ("models.example/library/qwen2/7b", "models.example/library/qwen2:7b"),
    ],
)
def test_a_blob_is_named_after_the_manifest_that_has_it(tmp_path: Path, path: str, name: str) -> None:
    manifest(tmp_path, path, f"sha256:{HEX}")
    manifest(tmp_path, "registry.ollama.ai/library/other/1", "sha256:" + "cd" * 32)
    assert name_of(tmp_path, f"sha256:{HEX}", ()) == name


def test_of_two_names_of_the_same_weights_the_configured_one_counts(tmp_path: Path) -> None:
    for name in ("a/1", "long-name/latest"):
        manifest(tmp_path, f"registry.ollama.ai/library/{name}", f"sha256:{HEX}")
    assert name_of(tmp_path, f"sha256:{HEX}", ()) == "a:1"
    assert name_of(tmp_path, f"sha256:{HEX}", ["long-name"]) == "long-name:latest"


def test_a_layer_that_is_no_weights_names_nothing(tmp_path: Path) -> None:
    manifest(tmp_path, "registry.ollama.ai/library/a/1", f"sha256:{HEX}", kind="template")
    assert name_of(tmp_path, f"sha256:{HEX}", ()) == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layers": 5}', "\0"])
def test_a_half_written_manifest_hides_no_other(tmp_path: Path, text: str) -> None:
    manifest(tmp_path, "registry.ollama.ai/library/b/1", f"sha256:{HEX}")
    broken = tmp_path / "manifests/registry.ollama.ai/library/a/1"
    broken.parent.mkdir(parents=True)
    broken.write_text(text)
    assert name_of(tmp_path, f"sha256:{HEX}", ()) == "b:1"


def test_without_a_readable_folder_the_digest_stands_for_the_model(tmp_path: Path) -> None:
    names = ModelNames(lambda: 0.0)
    assert names.name(OWNER, arguments_of(tmp_path / "closed")) == "sha256:abababababab"


def test_an_unknown_blob_is_looked_up_again_after_a_while(tmp_path: Path) -> None:
    now = [0.0]
    names = ModelNames(lambda: now[0])
    arguments = arguments_of(tmp_path)
    names.name(OWNER, arguments)
    manifest(tmp_path, "registry.ollama.ai/library/a/1", f"sha256:{HEX}")
    assert names.name(OWNER, arguments).startswith("sha256:")
    now[0] = RETRY_S
    assert names.name(OWNER, arguments) == "a:1"


def test_a_childs_name_stays_and_a_new_childs_is_looked_up(tmp_path: Path) -> None:
    names = ModelNames(lambda: 0.0)
    arguments = arguments_of(tmp_path)
    manifest(tmp_path, "registry.ollama.ai/library/a/1", f"sha256:{HEX}")
    assert names.name(OWNER, arguments) == "a:1"
    (tmp_path / "manifests/registry.ollama.ai/library/a/1").unlink()
    manifest(tmp_path, "registry.ollama.ai/library/b/1", f"sha256:{HEX}")
    assert names.name(OWNER, arguments) == "a:1"
    assert names.name(Identity(2, 1), arguments) == "b:1"
    names.keep([])
    assert names.name(OWNER, arguments) == "b:1"
