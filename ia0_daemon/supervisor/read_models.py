"""Which model a blob is, by the manifests in the engine's models folder.

`/api/ps` tells the digests of manifests, not of weights, so the folder is the
only place that joins a child's `--model` argument and a model's name. Where it
cannot be read, the blob's digest stands for the model.

    digest -> manifests/<host>/<namespace>/<model>/<tag> with that layer -> "qwen2:7b"

Owns the names that were found, by process: a child keeps its weights for life.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import msgspec

from ia0_daemon.embedded.names import ModelName, parse_name
from ia0_daemon.supervisor.read_engine import ChildArguments
from ia0_daemon.supervisor.samples import Identity

_WEIGHTS = "application/vnd.ollama.image.model"
_SHOWN_DIGITS = 12
# How long an unknown blob stays unknown before the manifests are read again, in seconds.
RETRY_S = 60.0


class _Layer(msgspec.Struct, rename={"media_type": "mediaType"}):
    media_type: str
    digest: str


class _Manifest(msgspec.Struct):
    layers: list[_Layer] = []


class ModelNames:
    """Remembers the name of each child's model."""

    def __init__(self, clock: Callable[[], float], wanted: Callable[[], Collection[str]] = tuple) -> None:
        """`wanted` gives the configured tags: of several names of one blob they come first."""
        self._clock, self._wanted = clock, wanted
        self._names: dict[Identity, str] = {}
        self._unknown_until: dict[Identity, float] = {}

    def name(self, owner: Identity, arguments: ChildArguments) -> str:
        """The engine's name of a child's model, else its digest or the argument's last part."""
        if owner in self._names:
            return self._names[owner]
        if arguments.digest and arguments.models_path and self._is_due(owner):
            name = name_of(Path(arguments.models_path), arguments.digest, self._wanted())
            if name:
                self._names[owner] = name
                return name
            self._unknown_until[owner] = self._clock() + RETRY_S
        return stand_in(arguments)

    def keep(self, owners: Collection[Identity]) -> None:
        """Forget the children that have ended."""
        self._names = {owner: name for owner, name in self._names.items() if owner in owners}
        self._unknown_until = {owner: at for owner, at in self._unknown_until.items() if owner in owners}

    def _is_due(self, owner: Identity) -> bool:
        return self._clock() >= self._unknown_until.get(owner, float("-inf"))


def stand_in(arguments: ChildArguments) -> str:
    """What a model is called whose name is not known."""
    if arguments.digest:
        return arguments.digest[: len("sha256:") + _SHOWN_DIGITS]
    return arguments.model.rstrip("/").rpartition("/")[2]


def name_of(models: Path, digest: str, wanted: Collection[str]) -> str:
    """The short name of the model with these weights; empty where none has them or the folder is closed."""
    names = [name.short() for name, digests in _models(models) if digest in digests]
    preferred = {parse_name(tag).short() for tag in wanted}
    return min(names, key=lambda name: (name not in preferred, len(name), name), default="")


def _models(models: Path) -> Iterator[tuple[ModelName, set[str]]]:
    manifests = models / "manifests"
    try:
        paths = sorted(manifests.glob("*/*/*/*"))
    except OSError:
        return
    for path in paths:
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
        except (OSError, msgspec.MsgspecError):
            continue  # a folder, another user's, or half written: it is not the one
        layers = {layer.digest for layer in manifest.layers if layer.media_type == _WEIGHTS}
        yield ModelName(*path.relative_to(manifests).parts), layers
