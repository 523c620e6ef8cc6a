"""The models of the mirror: the two that the product names, with small real weights, laid out as Ollama's.

    make_models()  ->  .cache/hosts/models/{manifests,blobs}

Owns their templates, parameters and licences, as manifests of Ollama's registry have them. The weights are
SmolLM2's, so its prompt format is both models'; each has another name inside, so that their digests differ.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from msgspec.json import encode

from ia0_daemon.embedded.gguf import read
from ia0_daemon.embedded.handle_create import config_of
from ia0_daemon.embedded.names import parse_name
from ia0_daemon.embedded.store import CONFIG_TYPE, LAYER_PREFIX, Layer, Manifest, Store
from ia0_daemon.embedded.template import CHATML, CHATML_STOPS
from ia0_daemon.embedded.weights import packaged_weights
from tests.conformance.weights import TEMPLATE, digest_of, renamed_weights
from tests.hosts.places import MODELS

LICENCE = "Apache License, Version 2.0. The weights are SmolLM2-135M-Instruct's, not those of the name.\n"


@dataclass(frozen=True)
class MirroredModel:
    """One model of the mirror."""

    tag: str
    letter: str
    """What the weights' own name begins with: another letter, another digest."""
    template: str


# Both ways that Ollama has of filling a template: turn by turn, and with all messages.
MIRRORED = (MirroredModel("qwen2:7b", "Q", CHATML), MirroredModel("llama3.1:8b", "L", TEMPLATE))


def make_models(folder: Path = MODELS) -> None:
    """Make them, unless they are there."""
    if folder.is_dir():
        return
    unfinished = folder.with_name("models.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    store = Store(unfinished)
    store.prepare()
    for model in MIRRORED:
        _add(store, model)
    unfinished.rename(folder)


def _add(store: Store, model: MirroredModel) -> None:
    weights = renamed_weights(model.letter)
    store.receive_blob(digest_of(weights), [weights])
    layers = [Layer(LAYER_PREFIX + "model", digest_of(weights), len(weights))]
    for kind, data in (
        ("template", model.template.encode()),
        ("params", encode({"stop": list(CHATML_STOPS)})),
        ("license", LICENCE.encode()),
    ):
        layers.append(store.add_blob(data, LAYER_PREFIX + kind)[0])
    config = store.add_blob(encode(config_of(read(packaged_weights()))), CONFIG_TYPE)[0]
    store.write_manifest(parse_name(model.tag), Manifest(config, layers))
