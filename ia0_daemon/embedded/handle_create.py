"""``POST /api/create`` and ``/api/blobs/:digest``: make a model of a GGUF blob or of another model.

    blob: HEAD asks, POST brings; create: base layers -> template, system, parameters ... -> manifest

Owns which layers a model gets. Only GGUF is taken; quantising and adapters are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from ia0_daemon.embedded import gguf
from ia0_daemon.embedded.binding import bind
from ia0_daemon.embedded.deliver import Line, deliver
from ia0_daemon.embedded.engine import INVALID_NAME_TEXT, Engine
from ia0_daemon.embedded.exchange import Exchange
from ia0_daemon.embedded.failures import EngineFailure, StatusFailure, bad_request
from ia0_daemon.embedded.models import Config, read_config
from ia0_daemon.embedded.names import ModelName, parse_name
from ia0_daemon.embedded.store import CONFIG_TYPE, LAYER_PREFIX, Layer, Manifest, Store
from ia0_daemon.embedded.template import CHATML, CHATML_STOPS, Template
from ia0_daemon.embedded.template_lex import TemplateError

FIELDS = {
    "model": "string",
    "name": "string",
    "stream": "*bool",
    "from": "string",
    "files": "map[string]string",
    "adapters": "map[string]string",
    "quantize": "string",
    "template": "string",
    "license": "any",
    "system": "string",
    "parameters": "map[string]interface {}",
    "messages": "[]api.Message",
}


def head_blob(engine: Engine, exchange: Exchange) -> None:
    """``HEAD /api/blobs/:digest``: 200 when the blob is there, else 404."""
    digest = exchange.path.rpartition("/")[2]
    if not engine.store.has_blob(digest):
        raise StatusFailure(HTTPStatus.NOT_FOUND, f'blob "{digest}" not found')
    exchange.send(HTTPStatus.OK, "", b"")


def post_blob(engine: Engine, exchange: Exchange) -> None:
    """``POST /api/blobs/:digest``: bring a blob; 201, or 200 when it was there."""
    digest = exchange.path.rpartition("/")[2]
    if engine.store.has_blob(digest):
        exchange.finish_body()
        exchange.send(HTTPStatus.OK, "", b"")
        return
    engine.store.receive_blob(digest, exchange.body_pieces())
    exchange.send(HTTPStatus.CREATED, "", b"")


def create(engine: Engine, exchange: Exchange) -> None:
    """``POST /api/create``."""
    given = bind(exchange.body(), FIELDS, "CreateRequest")
    name = parse_name(given.get("model") or given.get("name") or "")
    if not name.is_valid():
        raise bad_request(INVALID_NAME_TEXT)
    if given.get("adapters"):
        raise bad_request("LoRA adapters are no longer supported")
    if given.get("quantize"):
        raise bad_request("quantizing is not supported by the embedded engine")
    lines = _Creation(engine.store, engine.store.existing_name(name), given).lines()
    deliver(exchange, lines, stream=given.get("stream", True), join=lambda found: found[-1])


class _Creation:
    """One model in the making."""

    def __init__(self, store: Store, name: ModelName, given: dict[str, Any]) -> None:
        self._store = store
        self._name = name
        self._given = given
        self._layers: list[Layer] = []
        self._config = Config()

    def lines(self) -> Iterator[Line]:
        """Make the model, telling what is done."""
        before = self._store.entry(self._name)
        yield from self._base()
        yield from self._own_layers()
        yield from self._finish()
        if before is not None:
            self._store.remove_unused(before.manifest)
        yield {"status": "success"}

    def _base(self) -> Iterator[Line]:
        if self._given.get("from"):
            yield from self._from_model(self._given["from"])
        elif self._given.get("files") is not None:
            yield {"status": "parsing GGUF"}
            yield from self._from_files(self._given["files"])
        else:
            raise bad_request("neither 'from' or 'files' was specified")

    def _from_model(self, text: str) -> Iterator[Line]:
        entry = self._store.entry(self._store.existing_name(parse_name(text)))
        if entry is None:
            raise EngineFailure("pull model manifest: file does not exist")
        self._config = read_config(self._store, entry)
        self._layers = list(entry.manifest.layers)
        for layer in self._layers:
            yield {"status": f"using existing layer {layer.digest}"}

    def _from_files(self, files: dict[str, str]) -> Iterator[Line]:
        if not files:
            raise bad_request("no files provided to convert")
        digest = next(iter(files.values())).replace("-", ":", 1)
        path = self._store.blob_path(digest)
        if not path.exists():
            raise bad_request(f'blob "{digest}" not found')
        try:
            metadata = gguf.read(path)
        except gguf.NotGguf as error:
            raise bad_request("supplied file was not in GGUF format") from error
        self._config = config_of(metadata)
        self._layers = [Layer(LAYER_PREFIX + "model", digest, path.stat().st_size)]
        yield {"status": f"using existing layer {digest}"}
        if "<|im_start|>" in metadata.values.get("tokenizer.chat_template", ""):
            yield self._add("template", CHATML.encode())
            yield self._add("params", msgspec.json.encode({"stop": list(CHATML_STOPS)}))

    def _own_layers(self) -> Iterator[Line]:
        for kind, read in _OWN_LAYERS.items():
            if self._given.get(_FIELD_OF.get(kind, kind)):
                for data in read(self._given, self._store, self._layers):
                    yield self._add(kind, data)

    def _add(self, kind: str, data: bytes) -> Line:
        layer, is_new = self._store.add_blob(data, LAYER_PREFIX + kind)
        self._layers = [item for item in self._layers if item.kind != kind or kind == "license"]
        self._layers.append(layer)
        return {"status": f"{'creating new' if is_new else 'using existing'} layer {layer.digest}"}

    def _finish(self) -> Iterator[Line]:
        digests = [layer.digest for layer in self._layers]
        self._config.rootfs = {"type": "layers", "diff_ids": digests}
        config, is_new = self._store.add_blob(msgspec.json.encode(self._config), CONFIG_TYPE)
        yield {"status": f"{'creating new' if is_new else 'using existing'} layer {config.digest}"}
        yield {"status": "writing manifest"}
        self._store.write_manifest(self._name, Manifest(config, self._layers))


def config_of(metadata: gguf.Metadata) -> Config:
    """A model's configuration, from its file."""
    return Config(
        model_family=metadata.architecture,
        model_families=[metadata.architecture],
        model_type=gguf.human_number(metadata.parameters),
        file_type=metadata.quantization,
        context_length=metadata.of_architecture("context_length"),
        embedding_length=metadata.of_architecture("embedding_length"),
    )


def _template(given: dict[str, Any], _store: Store, _layers: list[Layer]) -> list[bytes]:
    try:
        Template(given["template"])
    except TemplateError as error:
        raise bad_request(f"template error: {error}") from error
    return [given["template"].encode()]


def _params(given: dict[str, Any], store: Store, layers: list[Layer]) -> list[bytes]:
    wanted = dict(given["parameters"])
    if isinstance(wanted.get("stop"), str):
        wanted["stop"] = [wanted["stop"]]
    old = [layer for layer in layers if layer.kind == "params"]
    base = msgspec.json.decode(store.blob_path(old[-1].digest).read_bytes()) if old else {}
    return [msgspec.json.encode({**base, **wanted})]


def _licenses(given: dict[str, Any], _store: Store, _layers: list[Layer]) -> list[bytes]:
    value = given["license"]
    return [text.encode() for text in ([value] if isinstance(value, str) else value)]


def _messages(given: dict[str, Any], _store: Store, _layers: list[Layer]) -> list[bytes]:
    return [msgspec.json.encode(given["messages"])]


def _system(given: dict[str, Any], _store: Store, _layers: list[Layer]) -> list[bytes]:
    return [given["system"].encode()]


_Read = Callable[[dict[str, Any], Store, list[Layer]], list[bytes]]
_OWN_LAYERS: dict[str, _Read] = {
    "template": _template,
    "system": _system,
    "license": _licenses,
    "params": _params,
    "messages": _messages,
}
_FIELD_OF = {"params": "parameters"}
