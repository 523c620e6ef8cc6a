"""What the engine knows about its models: Modelfiles, and the blobs that are not saved.

Owns the questions to the engine and the reading of its manifests. A silent engine is a note, never a failure.

    /api/tags -> /api/show for each -> Modelfiles;   manifests on the disk -> Model(name, blobs)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

import msgspec

from ia0_daemon.backup.archive_write import Staged
from ia0_daemon.backup.collect import Collection
from ia0_daemon.backup.manifest import MODELFILES, Blob, Kind, Model
from ia0_daemon.settings.engine_address import Address

# More than anybody has on one host; a wrong answer must not fill the archive.
_MOST_MODELS = 1000
_LONGEST_MODELFILE = 4 * 2**20
_REGISTRY = ("registry.ollama.ai", "library")


class EngineSilent(Exception):
    """The engine does not answer, or not as Ollama does."""


class Tag(msgspec.Struct, frozen=True):
    """A model of ``/api/tags``."""

    name: str
    size: int = 0
    digest: str = ""


class AsksEngine(Protocol):
    """The two questions."""

    def tags(self) -> list[Tag]:
        """The models that are there; EngineSilent."""
        ...

    def modelfile(self, name: str) -> str:
        """The Modelfile of one; EngineSilent."""
        ...


class _Tags(msgspec.Struct):
    models: list[Tag] | None = None


class _Shown(msgspec.Struct):
    modelfile: str = ""


T = TypeVar("T")


class EngineQuestions:
    """The questions over HTTP. Each takes ``timeout_s`` at most between two bytes."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s

    def tags(self) -> list[Tag]:
        """The models that are there."""
        return self._ask("GET", "/api/tags", _Tags, None).models or []

    def modelfile(self, name: str) -> str:
        """The Modelfile of one."""
        return self._ask("POST", "/api/show", _Shown, {"model": name}).modelfile

    def _ask(self, method: str, path: str, shape: type[T], body: dict[str, str] | None) -> T:
        # Late: it takes longer to import than most commands take altogether.
        import requests

        url = self._address.url + path
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy stands between the daemon and its own engine
                answer = session.request(
                    method, url, json=body, timeout=self._timeout_s, headers={"Host": "localhost"}
                )
                answer.raise_for_status()
                return msgspec.json.decode(answer.content, type=shape)
        except (requests.RequestException, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineSilent(f"the engine does not answer {url}: {error}") from error


def add_modelfiles(collection: Collection, engine: AsksEngine) -> list[Tag]:
    """Save every model's Modelfile; what the engine does not say becomes a note."""
    try:
        tags = engine.tags()[:_MOST_MODELS]
    except EngineSilent as error:
        collection.notes.append(f"Modelfiles: not saved: {error}")
        return []
    for tag in tags:
        try:
            text = engine.modelfile(tag.name)
        except EngineSilent as error:
            collection.notes.append(f"Modelfile of {tag.name}: not saved: {error}")
            continue
        if not text or len(text) > _LONGEST_MODELFILE:
            collection.notes.append(
                f"Modelfile of {tag.name}: not saved: the engine gave {len(text)} characters"
            )
        else:
            collection.add_text(f"{MODELFILES}/{quote(tag.name, safe='')}", Kind.MODELFILE, text)
    return tags


def models(staged: Sequence[Staged], folder: Path, tags: Sequence[Tag]) -> tuple[Model, ...]:
    """The models with their blobs, as the saved manifests say; without those, as the engine says."""
    found = [model for each in staged if (model := _model(each, folder)) is not None]
    known = {model.name for model in found}
    found += [
        Model(name=tag.name, blobs=(Blob(digest=f"manifest:{tag.digest}", size=max(0, tag.size)),))
        for tag in tags
        if tag.name not in known
    ]
    return tuple(sorted(found, key=lambda model: model.name))


def _model(each: Staged, folder: Path) -> Model | None:
    if each.entry.kind is not Kind.MODEL_MANIFEST:
        return None
    blobs = tuple(blobs_of(each.content.read_bytes()))
    name = model_name(Path(each.entry.origin), folder)
    return Model(name=name, blobs=blobs)


class _Layer(msgspec.Struct):
    digest: str
    size: int = 0


class _Manifest(msgspec.Struct):
    config: _Layer | None = None
    layers: list[_Layer] | None = None


def blobs_of(manifest: bytes) -> Iterator[Blob]:
    """The parts that a model's manifest names; none if it is no manifest."""
    try:
        read = msgspec.json.decode(manifest, type=_Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    for layer in (read.config, *(read.layers or ())):
        if layer is not None:
            yield Blob(digest=layer.digest, size=max(0, layer.size))


def model_name(manifest: Path, folder: Path) -> str:
    """A model's name as Ollama says it, from where its manifest lies: ``qwen2:7b``."""
    try:
        *where, model, tag = manifest.relative_to((folder / "manifests").resolve()).parts
    except ValueError:
        return str(manifest)
    if tuple(where) == _REGISTRY:
        where = []
    elif where[:1] == [_REGISTRY[0]]:
        where = where[1:]
    return f"{'/'.join([*where, model])}:{tag}"


def missing_blobs(manifest: bytes, folder: Path) -> list[str]:
    """Digests of the parts that are not on the disk."""
    return [
        blob.digest
        for blob in blobs_of(manifest)
        if not (folder / "blobs" / blob.digest.replace(":", "-").replace("/", "-")).is_file()
    ]
