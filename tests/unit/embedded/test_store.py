import hashlib
from pathlib import Path

import pytest

from ia0_daemon.embedded.failures import StatusFailure
from ia0_daemon.embedded.names import parse_name
from ia0_daemon.embedded.prune import GRACE_S, prune
from ia0_daemon.embedded.store import CONFIG_TYPE, LAYER_PREFIX, Manifest, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.prepare()
    return store


def add(store: Store, name: str, weights: bytes = b"weights") -> Manifest:
    layer = store.add_blob(weights, LAYER_PREFIX + "model")[0]
    manifest = Manifest(store.add_blob(b"{}", CONFIG_TYPE)[0], [layer])
    store.write_manifest(parse_name(name), manifest)
    return manifest


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_the_layout_is_ollamas(store: Store) -> None:
    manifest = add(store, "smollm2:135m")
    path = store.root / "manifests" / "registry.ollama.ai" / "library" / "smollm2" / "135m"
    assert b'"mediaType":"application/vnd.ollama.image.model"' in path.read_bytes()
    assert (store.root / "blobs" / manifest.layers[0].digest.replace(":", "-")).read_bytes() == b"weights"


def test_a_model_is_found_again_with_the_digest_of_its_manifest(store: Store) -> None:
    add(store, "a:1")
    entry = store.entry(parse_name("a:1"))
    assert entry is not None
    assert entry.digest == hashlib.sha256(store.manifest_path(entry.name).read_bytes()).hexdigest()
    assert entry.manifest.size == len(b"weights") + len(b"{}")


def test_a_name_is_found_in_another_case(store: Store) -> None:
    add(store, "Mixed:Tag")
    assert store.existing_name(parse_name("mixed:tag")).short() == "Mixed:Tag"


def test_an_upload_with_another_digest_is_refused_and_leaves_nothing(store: Store) -> None:
    with pytest.raises(StatusFailure, match="digest mismatch, expected") as raised:
        store.receive_blob(digest(b"expected"), [b"some", b"thing"])
    assert raised.value.status == 400
    assert list(store.blobs.iterdir()) == []


def test_an_upload_is_kept_under_its_digest(store: Store) -> None:
    store.receive_blob(digest(b"something"), [b"some", b"thing"])
    assert store.has_blob(digest(b"something"))


@pytest.mark.parametrize("text", ["", "sha256:xyz", "../../etc/passwd", "md5:" + "0" * 64])
def test_what_is_no_digest_is_refused(store: Store, text: str) -> None:
    with pytest.raises(StatusFailure, match="invalid digest format"):
        store.blob_path(text)


def test_a_copy_is_a_second_name(store: Store) -> None:
    add(store, "a:1")
    assert store.copy(parse_name("a:1"), parse_name("b:2"))
    assert [entry.name.short() for entry in store.entries()] == ["a:1", "b:2"]
    assert not store.copy(parse_name("absent"), parse_name("c"))


def test_deleting_removes_what_nobody_else_needs(store: Store) -> None:
    first, second = add(store, "a:1", b"one"), add(store, "b:1", b"two")
    assert store.delete(parse_name("a:1"))
    assert not store.has_blob(first.layers[0].digest)
    assert store.has_blob(second.layers[0].digest)
    assert store.has_blob(second.config.digest)
    assert not store.manifest_path(parse_name("a:1")).parent.exists()
    assert not store.delete(parse_name("a:1"))


def test_pruning_removes_old_blobs_that_nobody_names_and_old_partials(store: Store) -> None:
    needed = add(store, "a:1").layers[0]
    unused = store.blob_path(store.add_blob(b"unused", CONFIG_TYPE)[0].digest)
    partial = store.blobs / f"sha256-{'0' * 64}-partial-0"
    partial.write_bytes(b"")
    now = partial.stat().st_mtime
    assert prune(store, now) == []
    assert set(prune(store, now + GRACE_S + 1)) == {unused.name, partial.name}
    assert store.has_blob(needed.digest)


def test_an_unreadable_manifest_keeps_everything(store: Store) -> None:
    add(store, "a:1")
    store.add_blob(b"unused", CONFIG_TYPE)
    store.manifest_path(parse_name("a:1")).write_bytes(b"{")
    assert prune(store, store.root.stat().st_mtime + 2 * GRACE_S) == []
