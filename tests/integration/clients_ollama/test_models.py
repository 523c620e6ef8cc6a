"""The `ollama` package asks for models: lists, load, unload, vectors; and what only administrators change."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import httpx
import ollama
import pytest

from tests.conformance.registry import Registry, serve
from tests.integration.clients_ollama.conftest import Keyed

SMALL, TAG = "smollm2-135m", "smollm2:135m"


def test_every_name_that_may_be_asked_for_is_listed(client: ollama.Client) -> None:
    listed = {model.model: model for model in client.list().models}
    assert set(listed) == {SMALL, "qwen2-7b", "llama3.1-8b", TAG, "other", "smollm2:135m-other"}
    assert len({listed[name].digest for name in (SMALL, "qwen2-7b", TAG)}) == 1
    assert listed[SMALL].details is not None
    assert listed[SMALL].size
    assert listed[SMALL].modified_at


def test_a_model_is_shown_by_any_of_its_names(client: ollama.Client) -> None:
    for name in (SMALL, "qwen2-7b", TAG):
        shown = client.show(name)
        assert shown.details is not None
        assert "completion" in (shown.capabilities or ())
    with pytest.raises(ollama.ResponseError, match="'nothing'") as caught:
        client.show("nothing")
    assert caught.value.status_code == 404


def test_a_request_without_a_prompt_loads_the_model(client: ollama.Client) -> None:
    loaded = client.generate("other")
    assert (loaded.model, loaded.done_reason, loaded.response) == ("other", "load", "")
    assert client.chat("other", []).done_reason == "load"
    running = {model.name: model for model in client.ps().models}
    assert running["other"].context_length == 256


def test_an_administrator_unloads_a_model(keyed: Keyed) -> None:
    assert keyed.admin.generate("other").done_reason == "load"
    with pytest.raises(ollama.ResponseError, match="admin = true") as caught:
        keyed.shop.generate("other", keep_alive=0)
    assert caught.value.status_code == 403
    assert keyed.admin.generate("other", keep_alive="0s").done_reason == "unload"
    keyed.daemon.wait_for(lambda: "other" not in {model.name for model in keyed.admin.ps().models})


def test_how_long_a_model_stays_is_not_the_callers_word(client: ollama.Client) -> None:
    client.generate(SMALL, "Hi", keep_alive="1s", options={"num_predict": 1})
    before = {model.name: model.expires_at for model in client.ps().models}[SMALL]
    client.generate(SMALL, "Hi", keep_alive=0, options={"num_predict": 1})
    after = {model.name: model.expires_at for model in client.ps().models}[SMALL]
    assert before is not None
    assert after is not None
    assert after >= before
    with pytest.raises(ollama.ResponseError, match="keep_alive") as caught:
        client.generate(SMALL, "Hi", keep_alive="soon")
    assert caught.value.status_code == 400


def test_vectors_have_unit_length(client: ollama.Client) -> None:
    found = client.embed("qwen2-7b", ["Paris", "Rome"])
    assert found.model == "qwen2-7b"
    assert len(found.embeddings) == 2
    assert math.isclose(sum(x * x for x in found.embeddings[0]), 1, rel_tol=1e-3)
    assert client.embeddings(SMALL, "Paris").embedding == pytest.approx(found.embeddings[0], abs=1e-3)
    assert len(client.embed(SMALL, "Paris", dimensions=8).embeddings[0]) == 8
    assert client.embeddings(SMALL, "").embedding == []


def test_a_text_that_does_not_fit_becomes_a_vector_only_when_it_may_be_cut(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="longer than the model's context") as caught:
        client.embed(SMALL, "word " * 700)
    assert caught.value.status_code == 400
    with pytest.raises(ollama.ResponseError, match="longer than the model's context"):
        client.embeddings(SMALL, "word " * 700)
    assert len(client.embed(SMALL, "word " * 700, truncate=True).embeddings) == 1


def test_a_wrong_key_is_told_so(keyed: Keyed) -> None:
    for client in (keyed.wrong, keyed.none):
        with pytest.raises(ollama.ResponseError, match="API key") as caught:
            client.list()
        assert caught.value.status_code == 401


def test_a_key_sees_the_models_that_it_may_use(keyed: Keyed) -> None:
    assert {model.model for model in keyed.narrow.list().models} == {"other", "smollm2:135m-other"}
    assert {model.name for model in keyed.narrow.ps().models} <= {"other"}
    for ask in (keyed.narrow.show, lambda name: keyed.narrow.generate(name, "Hi")):
        with pytest.raises(ollama.ResponseError, match="may not use") as caught:
            ask(SMALL)
        assert caught.value.status_code == 403


def test_the_engines_version_is_told_and_that_somebody_is_there(keyed: Keyed) -> None:
    url = keyed.daemon.url
    assert httpx.get(url + "/", trust_env=False, timeout=60).text == "Ollama is running"
    assert httpx.head(url + "/", trust_env=False, timeout=60).status_code == 200
    assert httpx.get(url + "/api/version", trust_env=False, timeout=60).status_code == 401
    assert keyed.shop._client.get("/api/version").json()["version"]


CHANGES: list[Callable[[ollama.Client], object]] = [
    lambda client: client.pull("http://127.0.0.1:1/library/tiny"),
    lambda client: client.push(SMALL),
    lambda client: client.create("mine", from_=TAG),
    lambda client: client.copy(TAG, "copied"),
    lambda client: client.delete(TAG),
]


@pytest.mark.parametrize("change", CHANGES)
def test_only_an_administrator_changes_models(
    keyed: Keyed, client: ollama.Client, change: Callable[[ollama.Client], object]
) -> None:
    for each in (keyed.shop, client):
        with pytest.raises(ollama.ResponseError, match="admin = true") as caught:
            change(each)
        assert caught.value.status_code == 403


def test_an_administrator_pulls_and_deletes(keyed: Keyed) -> None:
    with serve(Registry()) as registry:
        lines = list(keyed.admin.pull(registry.model, insecure=True, stream=True))
        name = registry.model.removeprefix("http://")
    assert lines[0].status == "pulling manifest"
    assert lines[-1].status == "success"
    assert max(line.completed or 0 for line in lines) == len(Registry().weights)
    assert keyed.admin.delete(name).status == "success"
    with pytest.raises(ollama.ResponseError, match="not found") as caught:
        keyed.admin.delete(name)
    assert caught.value.status_code == 404


def test_a_pull_that_fails_says_what_the_engine_said(keyed: Keyed) -> None:
    with serve(Registry(corrupt=True)) as registry:
        with pytest.raises(ollama.ResponseError, match="digest mismatch") as caught:
            keyed.admin.pull(registry.model, insecure=True)
        assert caught.value.status_code == 500
        with pytest.raises(ollama.ResponseError, match="digest mismatch"):
            list(keyed.admin.pull(registry.model, insecure=True, stream=True))
    assert keyed.daemon.wait_for_log(route="/api/pull", code="ENGINE_ERROR", stream=True)["status"] == 502


def test_a_pull_that_runs_is_known_and_ends_with_its_caller(keyed: Keyed) -> None:
    def is_pulling() -> bool:
        return keyed.daemon.metric("ia0_engine_pulling") == 1

    with serve(Registry(stall_after=1000)) as registry:
        lines = keyed.admin.pull(registry.model, insecure=True, stream=True)
        assert next(iter(lines)).status == "pulling manifest"
        keyed.daemon.wait_for(is_pulling)
        lines.close()  # type: ignore[attr-defined]  # it is a generator: this hangs up
        keyed.daemon.wait_for_log(route="/api/pull", code="CALLER_GONE")
        registry.go_on.set()


def test_an_administrator_copies_and_creates(keyed: Keyed, tmp_path: Path) -> None:
    file = tmp_path / "small.bin"
    file.write_bytes(b"x" * 100_000)
    digest = keyed.admin.create_blob(file)
    assert digest == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    assert keyed.admin._client.head(f"/api/blobs/{digest}").status_code == 200
    assert keyed.admin._client.head(f"/api/blobs/sha256:{'0' * 64}").status_code == 404
    assert keyed.admin.copy(TAG, "copied").status == "success"
    assert keyed.admin.create("mine", from_="copied", system="Be brief.").status == "success"
    for name in ("copied", "mine"):
        keyed.admin.delete(name)


def test_a_blob_that_is_too_large_names_the_setting(keyed: Keyed, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(5 * 1024 * 1024))
    with pytest.raises((ollama.ResponseError, httpx.WriteError)) as caught:
        keyed.admin.create_blob(file)
    if isinstance(caught.value, ollama.ResponseError):
        assert caught.value.status_code == 413
        assert "server.max_body_bytes" in caught.value.error
