"""The models on the disk, in Ollama's layout.

    manifests/<host>/<namespace>/<model>/<tag>  and  blobs/sha256-<hex>

Owns reading and writing of manifests and blobs, listing, copying, deleting and
which blobs are still needed. Never talks to a registry and never loads a model.
Manifests are written in place and not atomically, as Ollama does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ia0_daemon.embedded.failures import bad_request
from ia0_daemon.embedded.names import ModelName

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_PREFIX = "application/vnd.ollama.image."

_DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")


class Layer(msgspec.Struct, rename={"media_type": "mediaType", "from_": "from"}, omit_defaults=True):
    """One blob of a manifest; ``from_`` is the name of the model that it was taken from."""

    media_type: str
    digest: str
    size: int
    from_: str = ""

    @property
    def kind(self) -> str:
        """The last part of the media type: model, template, system, params, license, messages."""
        return self.media_type.removeprefix(LAYER_PREFIX)


class Manifest(msgspec.Struct, rename={"schema_version": "schemaVersion", "media_type": "mediaType"}):
    """What a model consists of."""

    config: Layer
    layers: list[Layer]
    schema_version: int = 2
    media_type: str = MANIFEST_TYPE

    @property
    def size(self) -> int:
        """Bytes of all its blobs."""
        return self.config.size + sum(layer.size for layer in self.layers)


@dataclass(frozen=True)
class Entry:
    """A manifest on the disk."""

    name: ModelName
    manifest: Manifest
    digest: str
    modified: float


class Store:
    """The models folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifests = root / "manifests"
        self.blobs = root / "blobs"

    def prepare(self) -> None:
        """Make the folders."""
        self.manifests.mkdir(parents=True, exist_ok=True)
        self.blobs.mkdir(parents=True, exist_ok=True)

    def blob_path(self, digest: str) -> Path:
        """Where the blob of this digest lies or would lie."""
        if not _DIGEST.fullmatch(digest):
            raise bad_request("invalid digest format")
        return self.blobs / digest.replace(":", "-")

    def manifest_path(self, name: ModelName) -> Path:
        """Where the manifest of this name lies or would lie."""
        return self.manifests.joinpath(*name.path())

    def entries(self) -> Iterator[Entry]:
        """Every model whose manifest can be read, in the order of their paths."""
        for name in self._names():
            entry = self.entry(name)
            if entry is not None:
                yield entry

    def _names(self) -> Iterator[ModelName]:
        for path in sorted(self.manifests.glob("*/*/*/*")):
            host, namespace, model, tag = path.relative_to(self.manifests).parts
            if path.is_file():
                yield ModelName(host, namespace, model, tag)

    def entry(self, name: ModelName) -> Entry | None:
        """The model of exactly this name, or None when it is not there or not readable."""
        path = self.manifest_path(name)
        try:
            data = path.read_bytes()
            manifest = msgspec.json.decode(data, type=Manifest)
        except (OSError, msgspec.MsgspecError):
            return None
        return Entry(name, manifest, hashlib.sha256(data).hexdigest(), path.stat().st_mtime)

    def existing_name(self, name: ModelName) -> ModelName:
        """The name in the spelling that the disk has, wherever parts differ only in their case."""
        parts = list(name.path())
        for existing in self._names():
            for index, part in enumerate(existing.path()):
                if part.lower() == parts[index].lower():
                    parts[index] = part
        return name.with_parts((parts[0], parts[1], parts[2], parts[3]))

    def write_manifest(self, name: ModelName, manifest: Manifest) -> None:
        """Write the manifest of this name."""
        path = self.manifest_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(manifest))

    def has_blob(self, digest: str) -> bool:
        """Whether the blob is there; its content is not checked again, as in Ollama."""
        return self.blob_path(digest).exists()

    def add_blob(self, data: bytes, media_type: str) -> tuple[Layer, bool]:
        """Keep these bytes; returns their layer and whether they were new."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        path = self.blob_path(digest)
        is_new = not path.exists()
        if is_new:
            path.write_bytes(data)
        return Layer(media_type, digest, len(data)), is_new

    def receive_blob(self, expected: str, chunks: Iterable[bytes]) -> None:
        """Keep an uploaded blob under its digest; refuses one that has another."""
        path = self.blob_path(expected)
        partial = path.with_name(f"sha256-upload-{id(chunks)}")
        sum_ = hashlib.sha256()
        try:
            with partial.open("wb") as file:
                for chunk in chunks:
                    sum_.update(chunk)
                    file.write(chunk)
            digest = "sha256:" + sum_.hexdigest()
            if digest != expected.replace("-", ":"):
                raise bad_request(f'digest mismatch, expected "{expected}", got "{digest}"')
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)

    def layer_text(self, manifest: Manifest, kind: str) -> list[str]:
        """The texts of all layers of one kind."""
        layers = [layer for layer in manifest.layers if layer.kind == kind]
        return [self.blob_path(layer.digest).read_text(encoding="utf-8") for layer in layers]

    def layer_json(self, manifest: Manifest, kind: str) -> Any:
        """The JSON of the last layer of one kind, or None."""
        texts = self.layer_text(manifest, kind)
        return msgspec.json.decode(texts[-1]) if texts else None

    def copy(self, source: ModelName, target: ModelName) -> bool:
        """Give a model a second name; False when there is no such model."""
        path = self.manifest_path(source)
        if not path.is_file():
            return False
        goal = self.manifest_path(target)
        if goal != path:
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.write_bytes(path.read_bytes())
        return True

    def delete(self, name: ModelName) -> bool:
        """Remove a model and the blobs that nobody else needs; False when there is no such model."""
        entry = self.entry(name)
        if entry is None:
            return False
        path = self.manifest_path(name)
        path.unlink()
        self._remove_empty_folders(path.parent)
        self.remove_unused(entry.manifest)
        return True

    def remove_unused(self, manifest: Manifest) -> None:
        """Remove those of the manifest's blobs that no other manifest names."""
        needed = self.needed_digests()
        for layer in (manifest.config, *manifest.layers):
            if layer.digest not in needed:
                self.blob_path(layer.digest).unlink(missing_ok=True)

    def needed_digests(self) -> set[str]:
        """The digests that some manifest names."""
        manifests = [entry.manifest for entry in self.entries()]
        return {layer.digest for item in manifests for layer in (item.config, *item.layers)}

    def _remove_empty_folders(self, folder: Path) -> None:
        while folder != self.manifests and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
