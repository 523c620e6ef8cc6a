"""``POST /api/pull``: bring a model from a registry.

    manifest -> each missing blob, with progress -> verify -> write the manifest -> remove what it replaced

Owns the lines and their order. Models that are named without a host come from
``IA0_ENGINE_REGISTRY``; without that setting there are none, since a stand-in for
trying out fetches nothing from the Internet on its own. A present blob is not
verified again, as in Ollama.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

import msgspec

from ia0_daemon.embedded.binding import bind
from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.deliver import Line, deliver
from ia0_daemon.embedded.download import Download, Source
from ia0_daemon.embedded.engine import INVALID_NAME_TEXT, Engine
from ia0_daemon.embedded.environment import EngineSettings
from ia0_daemon.embedded.exchange import Exchange
from ia0_daemon.embedded.failures import EngineFailure, bad_request
from ia0_daemon.embedded.names import DEFAULT_HOST, ModelName, parse_name
from ia0_daemon.embedded.registry import NOT_EXIST_TEXT, Registry
from ia0_daemon.embedded.store import Layer, Manifest

# Ollama tells the progress so often.
PROGRESS_S = 0.06

FIELDS = {"model": "string", "name": "string", "insecure": "bool", "stream": "*bool"}

_log = logging.getLogger(__name__)


def pull(engine: Engine, exchange: Exchange) -> None:
    """Answer one request."""
    given = bind(exchange.body(), FIELDS, "PullRequest")
    name = parse_name(given.get("model") or given.get("name") or "")
    if not name.is_valid():
        raise bad_request(INVALID_NAME_TEXT)
    lines = _Pull(engine, exchange.context, name, insecure=given.get("insecure", False)).lines()
    deliver(exchange, lines, stream=given.get("stream", True), join=lambda found: found[-1])


class _Pull:
    """One pull."""

    def __init__(self, engine: Engine, context: Context, name: ModelName, *, insecure: bool) -> None:
        self._engine = engine
        self._store = engine.store
        self._context = context
        self._name = engine.store.existing_name(name)
        self._insecure = insecure

    def lines(self) -> Iterator[Line]:
        """Pull, telling what is done."""
        yield {"status": "pulling manifest"}
        registry = self._registry()
        data = registry.manifest(self._context, self._name)
        try:
            manifest = msgspec.json.decode(data, type=Manifest)
        except msgspec.MsgspecError as error:
            raise EngineFailure(f"pull model manifest: {error}") from error
        before = self._store.entry(self._name)
        fetched = []
        for layer in (*manifest.layers, manifest.config):
            if not self._store.has_blob(layer.digest):
                fetched.append(layer)
            yield from self._blob(registry, layer)
        yield {"status": "verifying sha256 digest"}
        for layer in fetched:
            self._verify(layer)
        yield {"status": "writing manifest"}
        self._write(data)
        if before is not None and not self._engine.settings.no_prune and before.manifest != manifest:
            yield {"status": "removing unused layers"}
            self._store.remove_unused(before.manifest)
        yield {"status": "success"}

    def _registry(self) -> Registry:
        settings, name = self._engine.settings, self._name
        if name.scheme == "http" and not self._insecure:
            raise EngineFailure("insecure protocol http")
        url = f"{name.scheme or 'https'}://{name.host}"
        if name.host == DEFAULT_HOST:
            url = settings.registry
        if not url:
            _log.warning(
                "no registry: IA0_ENGINE_REGISTRY is not set, and nothing is fetched from the Internet"
            )
            raise EngineFailure(f"pull model manifest: {NOT_EXIST_TEXT}")
        return Registry(url, insecure=self._insecure, stall_s=settings.pull_stall)

    def _blob(self, registry: Registry, layer: Layer) -> Iterator[Line]:
        if self._store.has_blob(layer.digest):
            yield _progress(layer, layer.size, layer.size)
            return
        source = _source(self._engine.settings, registry, self._name, layer.digest)
        download = self._engine.downloads.join(source, self._store.blob_path(layer.digest))
        try:
            yield from self._wait(download, layer)
        finally:
            self._engine.downloads.leave(layer.digest, download)

    def _wait(self, download: Download, layer: Layer) -> Iterator[Line]:
        yield _progress(layer, layer.size, download.completed)
        while not download.ended.wait(PROGRESS_S):
            self._context.check()
            yield _progress(layer, download.total or layer.size, download.completed)
        if download.failure is not None:
            raise download.failure
        yield _progress(layer, download.total, download.completed)

    def _verify(self, layer: Layer) -> None:
        path = self._store.blob_path(layer.digest)
        with path.open("rb") as file:
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        if digest != layer.digest:
            path.unlink()
            text = f"digest mismatch, file must be downloaded again: want {layer.digest}, got {digest}"
            raise EngineFailure(text)

    def _write(self, data: bytes) -> None:
        path = self._store.manifest_path(self._name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _source(settings: EngineSettings, registry: Registry, name: ModelName, digest: str) -> Source:
    return Source(registry, name, digest, settings.faults, settings.pull_backoff, settings.pull_streams)


def _progress(layer: Layer, total: int, completed: int) -> Line:
    line = {"status": f"pulling {layer.digest[7:19]}", "digest": layer.digest, "total": total}
    return line | ({"completed": completed} if completed else {})
