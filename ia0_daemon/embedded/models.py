"""A model as the routes use it: manifest, configuration, template, parameters.

    load_model(store, name) -> Model

Owns what ``/api/show`` and ``/api/tags`` say of a model and what it can do.
Never starts a child process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from ia0_daemon.embedded import gguf
from ia0_daemon.embedded.names import ModelName
from ia0_daemon.embedded.store import Entry, Store
from ia0_daemon.embedded.template import PLAIN, Template


class Config(msgspec.Struct, omit_defaults=True):
    """The configuration blob of a model."""

    model_format: str = "gguf"
    model_family: str = ""
    model_families: list[str] = []
    model_type: str = ""
    file_type: str = ""
    context_length: int = 0
    embedding_length: int = 0
    architecture: str = "amd64"
    os: str = "linux"
    rootfs: dict[str, Any] = {}


@dataclass(frozen=True)
class Model:
    """One model on the disk."""

    entry: Entry
    config: Config
    path: Path
    template: Template
    system: str = ""
    licenses: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    messages: tuple[dict[str, Any], ...] = ()

    @property
    def name(self) -> ModelName:
        """Its name with all parts."""
        return self.entry.name

    @property
    def short_name(self) -> str:
        """The name that Ollama shows."""
        return self.entry.name.short()

    @cached_property
    def metadata(self) -> gguf.Metadata:
        """What its weights file says of itself."""
        return gguf.read(self.path)

    def capabilities(self) -> list[str]:
        """What the model can do, by its file and its template."""
        names = self.template.names
        found = ["embedding"] if self.metadata.is_embedding_model else ["completion"]
        found += ["tools"] if "tools" in names else []
        found += ["insert"] if "suffix" in names else []
        return found + (["thinking"] if "thinking" in names else [])

    def details(self) -> dict[str, Any]:
        """The ``details`` object of the listing routes."""
        return details(self.config)


def details(config: Config) -> dict[str, Any]:
    """The ``details`` object of a configuration."""
    return {
        "parent_model": "",
        "format": config.model_format,
        "family": config.model_family,
        "families": config.model_families,
        "parameter_size": config.model_type,
        "quantization_level": config.file_type,
    }


def read_config(store: Store, entry: Entry) -> Config:
    """The model's configuration; an unreadable one is an OSError or a MsgspecError."""
    return msgspec.json.decode(store.blob_path(entry.manifest.config.digest).read_bytes(), type=Config)


def load_model(store: Store, name: ModelName) -> Model | None:
    """The model of this name, or None when it is not on the disk."""
    entry = store.entry(name)
    if entry is None:
        return None
    manifest = entry.manifest
    weights = [layer for layer in manifest.layers if layer.kind == "model"]
    if not weights:
        return None
    return Model(
        entry=entry,
        config=read_config(store, entry),
        path=store.blob_path(weights[-1].digest),
        template=Template((store.layer_text(manifest, "template") or [PLAIN])[-1]),
        system=(store.layer_text(manifest, "system") or [""])[-1],
        licenses=tuple(store.layer_text(manifest, "license")),
        options=store.layer_json(manifest, "params") or {},
        messages=tuple(store.layer_json(manifest, "messages") or ()),
    )
