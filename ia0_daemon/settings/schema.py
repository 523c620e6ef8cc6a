"""What can be configured, with type, default and range: the one table of settings.

Owns the names and limits of every setting of ``ia0.toml``. Never reads a file
or the environment (``load.py`` does) and never looks at the machine.

    schema_gateway.py, schema_supervisor.py -> sections -> Settings

``docs/configuration.md`` and the role's template are held against this module
by tests, so a setting is added here, or in its part, first.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ia0_daemon.settings.schema_gateway import (
    Admission,
    ApiKey,
    Auth,
    Cache,
    Limits,
    Model,
    Routing,
    Shared,
)
from ia0_daemon.settings.schema_supervisor import Alerts, Backup, Events, Memory, Restart
from ia0_daemon.settings.section import Between, Secret, Section, Spelled
from ia0_daemon.settings.units import Bytes, KeepAlive, Level, Seconds

__all__ = [
    "Admission",
    "Alerts",
    "ApiKey",
    "Auth",
    "Backup",
    "Between",
    "Cache",
    "Engine",
    "Events",
    "Limits",
    "Log",
    "Memory",
    "Model",
    "Restart",
    "Routing",
    "Secret",
    "Section",
    "Server",
    "Settings",
    "Shared",
    "Spelled",
]

Listen = Annotated[str, Spelled("host:port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080")]
EngineHost = Annotated[str, Spelled("an address, such as localhost:11434, http://10.0.0.5 or [::1]:11434")]


class Server(Section, frozen=True):
    """The daemon's listeners. A change needs a restart."""

    listen: Listen = "127.0.0.1:8080"
    """Address of the API, ``host:port``. Beyond loopback at least one API key is required."""
    health_listen: Listen = "127.0.0.1:8081"
    """Address of the small listener that serves /health* and /metrics alone; empty turns it off."""
    socket_path: Annotated[str, Spelled("an absolute path")] = "/run/ia0/ia0.sock"
    """Unix socket of the ``ia0`` command; the peer must be root or the daemon's own user."""
    threads: Annotated[int, Meta(ge=4, le=1024)] = 144
    """Worker threads of the API listener. A streamed answer holds one until its last byte."""
    max_in_flight: Annotated[int, Meta(ge=1, le=1023)] = 128
    """Most requests for text under way at once, those in a queue included; more is OVERLOADED. Less than
    ``threads``: /health needs one.
    """
    max_connections: Annotated[int, Meta(ge=16, le=65536)] = 4096
    """Most open connections of the API listener; one more is told OVERLOADED and closed."""
    request_timeout_s: Annotated[Seconds, Between(1, 3600)] = Seconds(60)
    """How long a request may take to arrive, head and body; longer is REQUEST_TIMEOUT."""
    max_body_bytes: Annotated[Bytes, Between(1024, 2**30)] = Bytes(4 * 2**20)
    """Largest request body; more is PAYLOAD_TOO_LARGE."""
    shutdown_grace_s: Annotated[Seconds, Between(0, 3600)] = Seconds(30)
    """How long answers under way may go on after SIGTERM before the daemon ends."""


class Engine(Section, frozen=True):
    """The engine that this daemon stands in front of, and how long it may be silent."""

    host: EngineHost = "localhost:11434"
    """Where the engine listens, in any form that OLLAMA_HOST takes."""
    connect_timeout_s: Annotated[Seconds, Between(0.05, 300)] = Seconds(5)
    """How long a TCP connect to the engine may take."""
    load_timeout_s: Annotated[Seconds, Between(1, 86400)] = Seconds(300)
    """How long loading a model may take."""
    first_token_timeout_s: Annotated[Seconds, Between(1, 86400)] = Seconds(60)
    """How long the first token may take, beside what the prompt's length adds."""
    first_token_per_1k_chars_s: Annotated[Seconds, Between(0, 3600)] = Seconds(2)
    """What each 1,000 characters of the prompt add to ``first_token_timeout_s``."""
    timeout_s: Annotated[Seconds, Between(0.1, 86400)] = Seconds(30)
    """TIMEOUT: how long the engine may be silent between two tokens."""
    control_timeout_s: Annotated[Seconds, Between(0.05, 300)] = Seconds(5)
    """How long a question about the engine's state (version, tags, ps) may take."""
    keep_alive: KeepAlive = KeepAlive("30m")
    """How long the engine keeps a model loaded, as Ollama writes it: ``30m``, seconds, ``-1`` for ever."""
    poll_interval_s: Annotated[Seconds, Between(0.1, 3600)] = Seconds(5)
    """How often the daemon asks the engine what is there and loaded."""
    parallel: Annotated[int, Meta(ge=1, le=1024)] = 4
    """How many answers the engine writes at once for a model (OLLAMA_NUM_PARALLEL); more wait in a queue."""
    models_path: Annotated[str, Spelled("an absolute path, or empty")] = ""
    """The engine's models folder (OLLAMA_MODELS); empty: learnt from the processes of loaded models."""


class Log(Section, frozen=True):
    """The JSON log on standard output."""

    level: Level = Level("INFO")
    """LOG_LEVEL: DEBUG, INFO, WARNING or ERROR."""
    prompts: bool = False
    """Whether prompt and answer texts are written into the request's line."""


def _default_models() -> dict[str, Model]:
    return {
        "qwen2": Model(name="qwen2-7b", tag="qwen2:7b", languages=("pt",)),
        "llama": Model(name="llama3.1-8b", tag="llama3.1:8b"),
    }


class Settings(Section, frozen=True):
    """The whole configuration. Immutable: a reload makes a new one."""

    server: Server = Server()
    engine: Engine = Engine()
    limits: Limits = Limits()
    routing: Routing = Routing()
    admission: Admission = Admission()
    cache: Cache = Cache()
    shared: Shared = Shared()
    auth: Auth = Auth()
    log: Log = Log()
    memory: Memory = Memory()
    restart: Restart = Restart()
    backup: Backup = Backup()
    events: Events = Events()
    alerts: Alerts = Alerts()
    models: dict[str, Model] = msgspec.field(default_factory=_default_models)
    """The models by an id. MODEL_QWEN2 names ``models.qwen2``, MODEL_LLAMA ``models.llama``.

    A file that holds one ``[models.<id>]`` replaces the built-in ones.
    """
    default_model: Annotated[str, Spelled("the name of a configured model, or empty")] = ""
    """Public name of the model for requests that name none or ``auto``.

    Empty: the first of ``models`` without languages, else the first.
    """
