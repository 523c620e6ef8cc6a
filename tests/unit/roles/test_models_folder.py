"""The models folder: what is whole, what is damaged, and that nothing half-written is ever in its place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.models_modules import folder, load

create = load("library/models_create.py")
state = load("library/models_state.py")

TAG = "tiny:1"
WEIGHTS = bytes(range(256)) * 64
TEMPLATE = b"{{ .Prompt }}"
PARAMETERS = json.dumps({"stop": ["x"], "num_ctx": 2048}).encode()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest(data), "size": len(data)}


LAYERS = {"model": WEIGHTS, "template": TEMPLATE, "params": PARAMETERS}
MANIFEST = json.dumps(
    {"config": layer("config", b"{}"), "layers": [layer(kind, data) for kind, data in LAYERS.items()]}
).encode()
BLOBS = [WEIGHTS, TEMPLATE, PARAMETERS, b"{}"]


def come_in(root: Path, blobs: list[bytes]) -> None:
    folder.make_own_folder(root)
    for data in blobs:
        folder.incoming_file(root, digest(data)).write_bytes(data)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with one model, put in place."""
    come_in(tmp_path, BLOBS)
    assert folder.place(tmp_path, MANIFEST, TAG)
    return tmp_path


def look(root: Path, audit: str = "changed") -> dict[str, Any]:
    ledger = folder.Ledger(root)
    found: dict[str, Any] = state.state_of(str(root), TAG, audit, ledger)
    ledger.write()
    return found


def damage(root: Path, data: bytes) -> Path:
    path: Path = folder.blob_file(root, digest(data))
    path.write_bytes(bytes(len(data)))
    return path


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("qwen2:7b", ("registry.ollama.ai", "library", "qwen2", "7b")),
        ("me/mine:1", ("registry.ollama.ai", "me", "mine", "1")),
        ("host:5000/me/mine:1", ("host:5000", "me", "mine", "1")),
        ("host:5000/me/mine", ("host:5000", "me", "mine", "latest")),
    ],
)
def test_a_name_is_split_as_ollama_splits_it(tag: str, parts: tuple[str, ...]) -> None:
    assert folder.parts_of(tag) == parts


def test_a_placed_model_is_whole_and_has_the_manifests_digest(model: Path) -> None:
    found = look(model)
    assert (found["whole"], found["digest"]) == (True, hashlib.sha256(MANIFEST).hexdigest())


def test_placing_again_changes_nothing(model: Path) -> None:
    assert folder.place(model, MANIFEST, TAG) is False


def test_a_blob_damaged_on_its_way_is_dropped_and_nothing_is_placed(tmp_path: Path) -> None:
    come_in(tmp_path, BLOBS)
    folder.incoming_file(tmp_path, digest(WEIGHTS)).write_bytes(b"other")
    with pytest.raises(folder.FolderError, match="its bytes have the digest"):
        folder.place(tmp_path, MANIFEST, TAG)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and ".ia0" not in path.parts] == []
    assert not folder.incoming_file(tmp_path, digest(WEIGHTS)).exists()


def test_a_blob_that_did_not_come_leaves_the_model_without_a_manifest(tmp_path: Path) -> None:
    come_in(tmp_path, BLOBS[1:])
    with pytest.raises(folder.FolderError, match=f"{digest(WEIGHTS)} of {TAG} did not come"):
        folder.place(tmp_path, MANIFEST, TAG)
    assert not folder.manifest_file(tmp_path, TAG).exists()


def test_a_damaged_blob_is_found_though_its_size_is_right(model: Path) -> None:
    look(model)
    damage(model, WEIGHTS)
    found = look(model)
    assert ([blob["digest"] for blob in found["damaged"]], found["whole"]) == ([digest(WEIGHTS)], False)


def test_a_blob_that_did_not_change_is_not_read_again(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(model)
    monkeypatch.setattr(folder, "sha256_of", lambda path: pytest.fail(f"{path} was read"))
    assert look(model)["whole"]


def test_audit_never_looks_at_the_size_alone(model: Path) -> None:
    damage(model, WEIGHTS)
    assert look(model, "never")["whole"]
    folder.blob_file(model, digest(WEIGHTS)).write_bytes(b"short")
    assert not look(model, "never")["whole"]


def test_dropping_damaged_blobs_keeps_one_that_came_again(model: Path) -> None:
    path = damage(model, TEMPLATE)
    folder.drop_damaged(model, [digest(TEMPLATE), digest(WEIGHTS)])
    assert (path.exists(), folder.blob_file(model, digest(WEIGHTS)).exists()) == (False, True)


def test_what_is_lacking_tells_what_came_of_it(model: Path) -> None:
    folder.blob_file(model, digest(WEIGHTS)).unlink()
    folder.incoming_file(model, digest(WEIGHTS)).write_bytes(WEIGHTS[:100])
    blobs = [{"digest": digest(data), "size": len(data)} for data in BLOBS]
    lacking = state.lacking_of(str(model), blobs, "changed", folder.Ledger(model))
    assert lacking == [{"digest": digest(WEIGHTS), "size": len(WEIGHTS), "came": 100, "damaged": False}]


def test_pieces_come_in_one_behind_the_other_and_one_that_broke_off_is_written_again(tmp_path: Path) -> None:
    source, piece, target = tmp_path / "source", tmp_path / "piece", tmp_path / "target"
    source.write_bytes(WEIGHTS)
    for start in (0, 5000, 5000, 10000, 15000):
        folder.copy_range(source, start, 5000, piece)
        folder.append(piece, target, start)
    assert target.read_bytes() == WEIGHTS


def test_a_manifest_that_cannot_be_read_is_no_model(model: Path) -> None:
    folder.manifest_file(model, TAG).write_bytes(b"{")
    assert look(model)["present"] is False


def test_a_model_as_its_modelfile_says_needs_no_making(model: Path) -> None:
    fields = {"template": TEMPLATE.decode(), "parameters": {"stop": "x", "num_ctx": 2048}}
    asked = {"path": str(model), "tag": TAG, "digest": digest(WEIGHTS), "fields": fields}
    assert create.differences(asked) == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"digest": digest(b"other")}, ["weights"]),
        ({"fields": {"template": "other"}}, ["template"]),
        ({"fields": {"system": "new"}}, ["system"]),
        ({"fields": {"parameters": {"num_ctx": 4096}}}, ["parameters"]),
        ({"tag": "other:1"}, ["model"]),
    ],
)
def test_what_differs_from_the_modelfile_is_named(
    model: Path, given: dict[str, Any], named: list[str]
) -> None:
    asked = {"path": str(model), "tag": TAG, "digest": digest(WEIGHTS), "fields": {}} | given
    assert create.differences(asked) == named
