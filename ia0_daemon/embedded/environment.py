"""The engine's settings, read from Ollama's own environment names.

Owns names, defaults and the forms that ``OLLAMA_HOST`` takes. Never listens and
never looks at the disk. Four names Ollama does not have: ``IA0_ENGINE_REGISTRY``,
where ``/api/pull`` finds models that are named without a host,
``IA0_ENGINE_PULL_STALL`` and ``_BACKOFF``, the patience that Ollama has built in, and
``IA0_ENGINE_VERSION``, the version that it says it is (the test hosts upgrade it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ia0_daemon.embedded.durations import FOREVER, parse_env_duration
from ia0_daemon.embedded.faults import Faults

VERSION = "0.33.0-ia0-embedded"
DEFAULT_PORT = 11434
# Ollama's default below 23 GiB of VRAM; larger hosts set OLLAMA_CONTEXT_LENGTH.
DEFAULT_CONTEXT = 4096
# Ollama loads 3 models per GPU at most; the stand-in counts as one GPU.
DEFAULT_MAX_LOADED = 3


@dataclass(frozen=True)
class EngineSettings:
    """What ``ia0-engine serve`` runs with. Durations are seconds, infinity means for ever."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    models: Path = field(default_factory=lambda: Path.home() / ".ollama" / "models")
    keep_alive: float = 300.0
    load_timeout: float = 300.0
    num_parallel: int = 1
    max_loaded_models: int = DEFAULT_MAX_LOADED
    max_queue: int = 512
    context_length: int = DEFAULT_CONTEXT
    no_prune: bool = False
    origins: tuple[str, ...] = ()
    debug: bool = False
    registry: str = ""
    pull_stall: float = 30.0
    pull_backoff: float = 1.0
    pull_streams: int = 4
    version: str = VERSION
    faults: Faults = field(default_factory=Faults)


def read_settings(environ: Mapping[str, str]) -> EngineSettings:
    """Build the settings; a number that is none falls back to its default, as in Ollama."""
    host, port = parse_host(_text(environ, "OLLAMA_HOST"))
    models = _text(environ, "OLLAMA_MODELS")
    return EngineSettings(
        host=host,
        port=port,
        models=Path(models) if models else Path.home() / ".ollama" / "models",
        keep_alive=parse_env_duration(_text(environ, "OLLAMA_KEEP_ALIVE"), 300.0),
        load_timeout=parse_env_duration(_text(environ, "OLLAMA_LOAD_TIMEOUT"), 300.0) or FOREVER,
        num_parallel=_number(environ, "OLLAMA_NUM_PARALLEL", 1),
        max_loaded_models=_number(environ, "OLLAMA_MAX_LOADED_MODELS", DEFAULT_MAX_LOADED),
        max_queue=_number(environ, "OLLAMA_MAX_QUEUE", 512),
        context_length=_number(environ, "OLLAMA_CONTEXT_LENGTH", DEFAULT_CONTEXT),
        no_prune=_flag(environ, "OLLAMA_NOPRUNE"),
        origins=tuple(part for part in _text(environ, "OLLAMA_ORIGINS").split(",") if part),
        debug=_flag(environ, "OLLAMA_DEBUG"),
        registry=_text(environ, "IA0_ENGINE_REGISTRY").rstrip("/"),
        pull_stall=parse_env_duration(_text(environ, "IA0_ENGINE_PULL_STALL"), 30.0),
        pull_backoff=parse_env_duration(_text(environ, "IA0_ENGINE_PULL_BACKOFF"), 1.0),
        pull_streams=_number(environ, "OLLAMA_MAX_TRANSFER_STREAMS", 4),
        version=_text(environ, "IA0_ENGINE_VERSION") or VERSION,
        faults=Faults.from_environment(environ),
    )


def parse_host(text: str) -> tuple[str, int]:
    """Host and port of any form that OLLAMA_HOST takes: scheme or none, port or none, bare IPv6."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    port = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT)
    rest = rest.partition("/")[0]
    host, port_text = _split_port(rest)
    if port_text.isdigit() and int(port_text) <= 65535:
        port = int(port_text)
    return host or "127.0.0.1", port


def _split_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if text.count(":") > 1:
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _text(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip().strip("\"'")


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = _text(environ, name)
    return int(text) if text.isdigit() and int(text) > 0 else default


def _flag(environ: Mapping[str, str], name: str) -> bool:
    return _text(environ, name).lower() not in ("", "0", "false", "f")
