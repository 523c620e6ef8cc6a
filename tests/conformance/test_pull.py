"""/api/pull, from a registry of our own (real Ollama pulls from it too, if it is on this machine)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conformance.client import Answer
from tests.conformance.registry import PIECE, Registry, serve
from tests.conformance.target import Target, wait_until

pytestmark = pytest.mark.needs("writes", "loopback")
sentence = pytest.mark.sentence


@pytest.fixture
def registry(engine: Target) -> Iterator[Registry]:
    with serve(Registry()) as registry:
        yield registry
        engine.client.send("DELETE", "/api/delete", {"model": registry.model})


def pull(engine: Target, registry: Registry, *, stream: bool) -> Answer:
    body = {"model": registry.model, "insecure": True, "stream": stream}
    return engine.client.send("POST", "/api/pull", body)


@sentence("endpoints.pull-progress", "standin.10-pull")
def test_a_pull_streams_its_progress(engine: Target, registry: Registry) -> None:
    answer = pull(engine, registry, stream=True)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = answer.lines()
    assert lines[0] == {"status": "pulling manifest"}
    # The manifest may still leave unused layers of another test's model to be removed.
    ends = [line["status"] for line in lines if line["status"] != "removing unused layers"][-3:]
    assert ends == ["verifying sha256 digest", "writing manifest", "success"]
    layer = [line for line in lines if line.get("digest") == registry.digest]
    assert {line["status"] for line in layer} == {f"pulling {registry.digest[7:19]}"}
    assert {line["total"] for line in layer} == {len(registry.weights)}
    assert layer[-1]["completed"] == len(registry.weights)


@sentence("endpoints.pull-unstreamed", "standin.10-pull")
def test_unstreamed_it_is_one_success(engine: Target, registry: Registry) -> None:
    answer = pull(engine, registry, stream=False)
    assert (answer.status, answer.json()) == (200, {"status": "success"})
    names = [model["name"] for model in engine.client.get("/api/tags")["models"]]
    assert any(name.endswith("library/tiny:latest") for name in names)


@sentence("endpoints.pull-error-streamed", "errors.in-a-stream", "standin.10-pull")
def test_an_unknown_model_is_an_error_line_of_a_stream(engine: Target, registry: Registry) -> None:
    body = {"model": registry.model.replace("tiny", "absent"), "insecure": True}
    answer = engine.client.send("POST", "/api/pull", body)
    assert answer.status == 200
    first, *_, last = answer.lines()
    assert first == {"status": "pulling manifest"}
    assert last == {"error": "pull model manifest: file does not exist"}


@sentence("endpoints.pull-error-unstreamed")
def test_an_unknown_model_is_500_unstreamed(engine: Target, registry: Registry) -> None:
    body = {"model": registry.model.replace("tiny", "absent"), "insecure": True, "stream": False}
    answer = engine.client.send("POST", "/api/pull", body)
    assert (answer.status, answer.error()) == (500, "pull model manifest: file does not exist")


@sentence("pull.present-blob-is-not-verified")
def test_a_blob_that_is_there_is_not_fetched_again(engine: Target, registry: Registry) -> None:
    assert pull(engine, registry, stream=False).status == 200
    registry.sent = 0
    assert pull(engine, registry, stream=False).json() == {"status": "success"}
    assert registry.sent < len(registry.weights)


@sentence("pull.digest-mismatch", "standin.10-pull")
def test_bytes_that_do_not_fit_the_digest_are_an_error_and_not_kept(
    engine: Target, registry: Registry
) -> None:
    registry.weights += b"of the corrupt"
    registry.corrupt = True
    last = pull(engine, registry, stream=True).lines()[-1]
    assert re.search("digest mismatch", last["error"])
    assert engine.client.send("HEAD", f"/api/blobs/{registry.digest}").status == 404


@sentence("pull.stall", "pull.cancelled-with-the-last-waiter", "disk.partials", "standin.10-pull")
def test_a_stall_shows_no_error_and_a_later_pull_goes_on(engine: Target, registry: Registry) -> None:
    registry.weights += b"of the stalled"
    registry.stall_after = 3 * PIECE
    with engine.client.open("/api/pull", {"model": registry.model, "insecure": True}) as stream:
        lines = stream.lines()
        wait_until(lambda: next(lines).get("completed", 0) > 0, "bytes have come")
        assert all("error" not in line for line, _ in zip(lines, range(5), strict=False))
    _hold_partials(engine, registry)
    registry.stall_after = None
    registry.go_on.set()
    assert pull(engine, registry, stream=True).lines()[-1] == {"status": "success"}


def _hold_partials(engine: Target, registry: Registry) -> None:
    """What is left of the download bears the name of a partial blob, where we can see the disk."""
    if engine.models_dir is None:
        return
    blobs = engine.models_dir / "blobs"
    stem = registry.digest.replace(":", "-")
    assert not (blobs / stem).exists()
    assert list(blobs.glob(f"{stem}-partial*"))
