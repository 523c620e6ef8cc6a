"""What lists, adds and removes models; and what lies on the disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.conformance.target import Target
from tests.conformance.weights import digest_of

sentence = pytest.mark.sentence
needs = pytest.mark.needs

COPY = "ia0-conformance-copy:latest"


@pytest.fixture
def copy(engine: Target) -> Iterator[str]:
    """A second name of the engine's model, taken away at the end."""
    answer = engine.client.send("POST", "/api/copy", {"source": engine.model, "destination": COPY})
    assert (answer.status, answer.body) == (200, b"")
    yield COPY
    engine.client.send("DELETE", "/api/delete", {"model": COPY})


def tagged(engine: Target, name: str) -> dict[str, Any] | None:
    models = engine.client.get("/api/tags")["models"]
    return next((model for model in models if model["name"] == name), None)


@sentence("endpoints.tags")
def test_tags_list_the_model_by_its_full_name_and_digest(engine: Target) -> None:
    model = tagged(engine, engine.model)
    assert model is not None
    assert model["model"] == model["name"]
    assert len(model["digest"]) == 64
    assert model["size"] > 1_000_000


@sentence("endpoints.ps", "endpoints.ps-on-gpu")
def test_ps_shows_what_is_loaded(engine: Target) -> None:
    engine.load()
    loaded = engine.loaded()
    assert loaded is not None
    expected = {"name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"}
    assert set(loaded) == expected
    assert loaded["digest"] == (tagged(engine, engine.model) or {})["digest"]
    assert isinstance(loaded["context_length"], int)
    assert 0 <= loaded["size_vram"] <= loaded["size"]
    if engine.pid:
        assert loaded["size_vram"] == loaded["size"], "the embedded engine counts as one GPU"


@sentence("endpoints.ps")
def test_ps_is_an_empty_list_where_nothing_is_loaded(engine: Target) -> None:
    for entry in engine.client.get("/api/ps")["models"]:
        engine.unload(entry["name"])
    assert engine.client.get("/api/ps") == {"models": []}


@sentence("endpoints.ps-order")
@needs("second_model")
def test_the_model_that_stays_longest_is_listed_first(engine: Target) -> None:
    assert engine.second_model is not None
    engine.load(keep_alive="10m")
    engine.load(engine.second_model, keep_alive="20m")
    ends = [datetime.fromisoformat(model["expires_at"]) for model in engine.client.get("/api/ps")["models"]]
    assert len(ends) >= 2
    assert all(first >= second for first, second in pairwise(ends))
    engine.unload(engine.second_model)


@sentence("endpoints.copy")
@needs("writes")
def test_a_copy_is_the_same_model_under_another_name(engine: Target, copy: str) -> None:
    copied, original = tagged(engine, copy), tagged(engine, engine.model)
    assert copied is not None
    assert original is not None
    assert copied["digest"] == original["digest"]
    answer = engine.client.post(
        "/api/generate", {"model": copy, "prompt": "Hi", "options": {"num_predict": 1}}
    )
    assert (answer.status, answer.json()["model"]) == (200, copy)


@sentence("endpoints.delete")
@needs("writes")
def test_a_deleted_model_is_gone_and_the_other_name_stays(engine: Target, copy: str) -> None:
    answer = engine.client.send("DELETE", "/api/delete", {"model": copy})
    assert (answer.status, answer.body) == (200, b"")
    assert tagged(engine, copy) is None
    assert tagged(engine, engine.model) is not None
    assert engine.generate(options={"num_predict": 1}).status == 200


@sentence("endpoints.create")
@needs("writes")
def test_a_model_is_created_from_another_with_its_own_settings(engine: Target) -> None:
    body = {"model": COPY, "from": engine.model, "parameters": {"num_predict": 3}, "system": "You are terse."}
    answer = engine.client.send("POST", "/api/create", body)
    assert answer.headers["content-type"] == "application/x-ndjson"
    states = [line["status"] for line in answer.lines()]
    assert any(state.startswith("using existing layer sha256:") for state in states)
    assert any(state.startswith("creating new layer sha256:") for state in states)
    assert states[-2:] == ["writing manifest", "success"]
    body = {"model": COPY, "prompt": "Hi", "options": {"temperature": 0}}
    whole = engine.client.post("/api/generate", body).json()
    assert (whole["eval_count"], whole["done_reason"]) == (3, "length")
    shown = engine.client.send("POST", "/api/show", {"model": COPY}).json()
    assert shown["system"] == "You are terse."
    assert ["num_predict", "3"] in [line.split() for line in shown["parameters"].splitlines()]
    engine.client.send("DELETE", "/api/delete", {"model": COPY})


@sentence("endpoints.create")
@needs("writes")
def test_unstreamed_create_is_one_success(engine: Target) -> None:
    body = {"model": COPY, "from": engine.model, "stream": False}
    answer = engine.client.send("POST", "/api/create", body)
    assert (answer.status, answer.json()) == (200, {"status": "success"})
    engine.client.send("DELETE", "/api/delete", {"model": COPY})


@sentence("endpoints.blobs")
@needs("writes")
def test_a_blob_is_there_once_it_was_sent(engine: Target) -> None:
    data = b"a blob of the conformance suite"
    path = f"/api/blobs/{digest_of(data)}"
    assert engine.client.send("POST", path, data).status in (200, 201)
    head = engine.client.send("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert engine.client.send("POST", path, data).status == 200


@sentence("endpoints.create", "endpoints.blobs", "endpoints.show")
@needs("writes")
def test_a_model_is_created_from_a_file_of_weights(engine: Target) -> None:
    shown = engine.client.send("POST", "/api/show", {"model": engine.model}).json()
    found = re.search(r"^FROM .*sha256-([0-9a-f]{64})$", shown["modelfile"], re.MULTILINE)
    assert found
    body = {"model": COPY, "files": {"model.gguf": f"sha256:{found[1]}"}, "template": shown["template"]}
    answer = engine.client.send("POST", "/api/create", body)
    assert [line["status"] for line in answer.lines()][-2:] == ["writing manifest", "success"]
    created = engine.client.send("POST", "/api/show", {"model": COPY}).json()
    assert created["template"] == shown["template"]
    assert created["details"]["family"] == shown["details"]["family"]
    engine.client.send("DELETE", "/api/delete", {"model": COPY})


@sentence("endpoints.embed")
def test_embed_gives_one_normalised_vector_for_each_text(engine: Target) -> None:
    body = {"model": engine.model, "input": ["the sea", "the mountains"]}
    answer = engine.client.send("POST", "/api/embed", body)
    assert answer.status == 200, answer
    whole = answer.json()
    vectors = whole["embeddings"]
    assert len(vectors) == 2
    assert len(vectors[0]) == len(vectors[1]) > 100
    for vector in vectors:
        assert sum(value * value for value in vector) == pytest.approx(1, abs=1e-3)
    assert vectors[0] != vectors[1]
    assert whole["prompt_eval_count"] > 0


@sentence("disk.manifests", "disk.blobs", "environment.models")
@needs("process")
def test_manifests_name_blobs_by_their_digests(engine: Target) -> None:
    assert engine.models_dir is not None
    name, tag = engine.model.split(":")
    # The folder that Ollama gives to models which are named without a host.
    (folder,) = [
        path for path in (engine.models_dir / "manifests").iterdir() if path.name.startswith("registry.")
    ]
    manifest = json.loads((folder / "library" / name / tag).read_text(encoding="utf-8"))
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"].startswith("application/vnd.docker.distribution.manifest.v2")
    for layer in [manifest["config"], *manifest["layers"]]:
        data = (engine.models_dir / "blobs" / layer["digest"].replace(":", "-")).read_bytes()
        assert (len(data), digest_of(data)) == (layer["size"], layer["digest"])
