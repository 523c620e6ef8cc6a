"""What can be configured, with type, default and range: the one table of settings.

Owns the names and limits of every setting of ``ia0.toml``. Never reads a file
or the environment (``load.py`` does) and never looks at the machine.

``docs/configuration.md`` and the role's template are held against this module
by tests, so a setting is added here first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from ia0_daemon.settings.units import Amount, Bytes, KeepAlive, Level, Seconds

Count = Annotated[int, Meta(ge=1, le=10_000_000)]


@dataclass(frozen=True)
class Between:
    """The range of a duration (seconds) or a size (bytes), ends included; for what Meta cannot bound."""

    low: float
    high: float


@dataclass(frozen=True)
class Secret:
    """Marks a setting whose value no message, log or answer may show."""


@dataclass(frozen=True)
class Spelled:
    """What a text looks like, for the documents; a rule of ``rules.py`` holds it."""

    text: str


Listen = Annotated[str, Spelled("host:port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080")]
EngineHost = Annotated[str, Spelled("an address, such as localhost:11434, http://10.0.0.5 or [::1]:11434")]
PublicName = Annotated[str, Spelled("a name of letters, digits and . _ : / - (at most 128)")]


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of ``ia0.toml``; a key that is not declared is refused."""


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


class Limits(Section, frozen=True):
    """What one request may ask for."""

    max_tokens: Count = 2000
    """MAX_TOKENS: most tokens of an answer, and how many where the request does not say."""
    max_prompt_chars: Count = 200_000
    """Longest prompt in characters; more is INVALID_REQUEST."""
    runner_options: Annotated[str, Meta(pattern=r"^(refuse|strip)$")] = "refuse"
    """What becomes of a request with options that would reload the model (``num_ctx``, ``num_gpu`` ...):
    refused, or asked without them.
    """


class Routing(Section, frozen=True):
    """Which model answers a request that names none, and when a model is passed over for its fallbacks."""

    languages: tuple[Annotated[str, Meta(pattern=r"^[a-z]{2,3}$")], ...] = (
        "pt", "en", "es", "fr", "de", "it", "nl",
    )  # fmt: skip
    """Languages that are told apart (ISO 639-1); those of ``models`` must be among them."""
    certainty_percent: Annotated[int, Meta(ge=0, le=100)] = 50
    """How sure the detector must be; below that the prompt is of no language in particular."""
    breaker_failures: Annotated[int, Meta(ge=1, le=1000)] = 5
    """How many failures in a row open a model's breaker: it is not asked then, its fallbacks are."""
    breaker_open_s: Annotated[Seconds, Between(0.1, 86400)] = Seconds(30)
    """How long a breaker stays open before one request tries the model again."""


class Admission(Section, frozen=True):
    """How requests wait for one of a model's slots (``engine.parallel``)."""

    max_queue: Annotated[int, Meta(ge=0, le=1000)] = 64
    """How many requests may wait for one model; one more is OVERLOADED."""
    queue_timeout_s: Annotated[Seconds, Between(0.1, 86400)] = Seconds(60)
    """How long a request may wait for a slot; time in which the engine is being restarted does not count."""


class Cache(Section, frozen=True):
    """Answers that are kept: of requests that ask for it, or whose answer is determined (temperature 0, a
    seed).
    """

    enabled: bool = True
    """Whether answers are kept, and equal requests at one time computed once."""
    max_bytes: Annotated[Bytes, Between(2**16, 2**40)] = Bytes(64 * 2**20)
    """Most that all kept answers may hold together in this daemon's memory."""
    max_entry_bytes: Annotated[Bytes, Between(2**10, 2**30)] = Bytes(2**20)
    """Largest answer that is kept."""
    max_age_s: Annotated[Seconds, Between(1, 31 * 86400)] = Seconds(3600)
    """How old a kept answer may become."""


class Shared(Section, frozen=True):
    """A Valkey or Redis in which daemons share limits and kept answers; without it each has its own."""

    url: Annotated[str, Secret(), Spelled("valkey://, redis:// or with s (TLS), or empty")] = ""
    """Where it is, such as ``valkey://:password@10.0.0.7:6379/0``. Hidden in every output."""
    url_file: Annotated[str, Spelled("an absolute path, or empty")] = ""
    """File whose one line is the address; excludes ``url``."""
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "ia0"
    """What all keys there begin with."""
    timeout_s: Annotated[Seconds, Between(0.01, 60)] = Seconds(0.25)
    """How long it may take to answer; then this daemon goes on with its own limits, and says so."""


class Auth(Section, frozen=True):
    """Who may call. Without a key the API is open, which is allowed on loopback only."""

    keys: Annotated[tuple[ApiKey, ...], Secret()] = ()
    """The API keys of this file; ``ia0 keys new`` makes one."""
    keys_path: Annotated[str, Spelled("an absolute path, or empty")] = "/var/lib/ia0/keys.toml"
    """File of the keys that ``ia0 keys create`` makes and ``ia0 keys revoke`` ends; empty: there are none."""
    usage_path: Annotated[str, Spelled("an absolute path, or empty")] = "/var/lib/ia0/usage.db"
    """Database in which the tokens of a day outlive a restart; empty: they are counted from each start."""


class ApiKey(Section, frozen=True):
    """One API key, of which only the hash is kept."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """Who uses it; appears in the log as ``key``."""
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$"), Secret()]
    """SHA-256 of the key in lower-case hex."""
    expires: Annotated[str, Spelled("a time such as 2027-01-31T00:00:00Z, or empty")] = ""
    """When it ends; empty: never."""
    models: tuple[PublicName, ...] = ()
    """Public names of the models that it may use; empty: all."""
    requests_per_minute: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    """Most requests in any minute; 0: no bound."""
    tokens_per_minute: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    """Most tokens of prompts and answers in any minute; 0: no bound."""
    tokens_per_day: Annotated[int, Meta(ge=0, le=1_000_000_000_000)] = 0
    """Most tokens in a day (UTC); 0: no bound."""
    max_concurrent: Annotated[int, Meta(ge=0, le=1023)] = 0
    """Most requests for text at once; 0: no bound."""
    admin: bool = False
    """Whether it may change the engine's models (``/api/pull``, ``/api/delete`` ...)."""
    system: str = ""
    """What every model is told before this key's prompts, behind the model's own ``system``."""


class Log(Section, frozen=True):
    """The JSON log on standard output."""

    level: Level = Level("INFO")
    """LOG_LEVEL: DEBUG, INFO, WARNING or ERROR."""
    prompts: bool = False
    """Whether prompt and answer texts are written into the request's line."""


class Memory(Section, frozen=True):
    """When the engine holds too much of the host's memory. Percentages are of the host's memory, or of the
    limit around the engine where that is lower. ``soft`` warns, ``hard`` restarts the engine.
    """

    sample_interval_s: Annotated[Seconds, Between(0.5, 3600)] = Seconds(5)
    """How often the engine, the host, the GPUs and the disks are looked at."""
    soft_samples: Annotated[int, Meta(ge=1, le=1000)] = 6
    """How many samples in a row must be beyond a soft threshold."""
    hard_samples: Annotated[int, Meta(ge=1, le=1000)] = 3
    """How many samples in a row must be beyond a hard threshold."""
    hysteresis_percent: Annotated[int, Meta(ge=0, le=50)] = 10
    """How far a value must come back before a level is left, in percent of the threshold."""
    child_growth_soft: Amount = Amount("15%")
    """How much one model's process may grow over what it held after loading."""
    child_growth_hard: Amount = Amount("25%")
    """As ``child_growth_soft``; beyond it the engine is restarted."""
    engine_growth_soft: Amount = Amount("25%")
    """How much all processes of the engine together may grow over what they held after loading."""
    engine_growth_hard: Amount = Amount("40%")
    """As ``engine_growth_soft``; beyond it the engine is restarted."""
    engine_held_soft: Amount = Amount("75%")
    """How much all processes of the engine together may hold."""
    engine_held_hard: Amount = Amount("85%")
    """As ``engine_held_soft``; beyond it the engine is restarted."""
    available_soft: Amount = Amount("10%")
    """How much memory must stay available: of the host, and below the limit around the engine."""
    available_hard: Amount = Amount("5%")
    """As ``available_soft``; below it the engine is restarted, if that would give back what lacks."""
    soft_restart_idle_s: Annotated[Seconds, Between(0, 86400)] = Seconds(60)
    """Beyond a soft threshold of growth, restart once no request has come for so long; 0: never."""
    settle_samples: Annotated[int, Meta(ge=1, le=100)] = 3
    """How many samples after loading make a model's baseline."""
    settle_limit_s: Annotated[Seconds, Between(1, 86400)] = Seconds(600)
    """When a baseline is taken although the model never settled or never said that it is loaded."""
    prompt_cache: Annotated[Bytes, Between(0, 2**50)] = Bytes(2**30)
    """Bound of each model's prompt cache on the host: the engine's LLAMA_ARG_CACHE_RAM, else 8GiB."""
    max_loaded_models: Annotated[int, Meta(ge=0, le=1000)] = 0
    """How many models the engine loads at once (OLLAMA_MAX_LOADED_MODELS); 0: all that are configured."""


class Restart(Section, frozen=True):
    """How the engine is restarted, and what requests do meanwhile."""

    engine_service_file: Annotated[str, Spelled("an absolute path, or empty")] = ""
    """Service file of an engine that runs as a process of this user; empty: the engine is observed only."""
    engine_unit: Annotated[str, Spelled("a unit of systemd, such as ollama.service, or empty")] = ""
    """systemd's unit of the engine, which the daemon may restart; excludes ``engine_service_file``."""
    drain_timeout_s: Annotated[Seconds, Between(0, 3600)] = Seconds(30)
    """How long answers under way may finish before the engine is restarted; longer ones go on afterwards."""
    ready_timeout_s: Annotated[Seconds, Between(1, 3600)] = Seconds(120)
    """How long a restarted engine may take to answer /api/version."""
    expected_s: Annotated[Seconds, Between(1, 3600)] = Seconds(20)
    """How long a restart usually takes beside the drain; callers are told in Retry-After."""
    max_waiting: Annotated[int, Meta(ge=0, le=10_000)] = 256
    """How many new requests may wait while the engine is restarted; more are ENGINE_RESTARTING."""
    max_wait_s: Annotated[Seconds, Between(1, 3600)] = Seconds(180)
    """How long a request waits for a restart, or for an engine that is gone, before it is an error."""
    max_resumes: Annotated[int, Meta(ge=0, le=100)] = 5
    """How often one request is asked again, or goes on, before a cut is an error."""
    max_restarts: Annotated[int, Meta(ge=1, le=1000)] = 5
    """How many restarts ``window_s`` may see; after that the supervisor gives up (FAILED)."""
    window_s: Annotated[Seconds, Between(1, 604800)] = Seconds(1800)
    """The time in which ``max_restarts`` are counted."""
    cooldown_s: Annotated[Seconds, Between(0, 86400)] = Seconds(30)
    """The shortest time between two restarts; doubled for each one in the window."""
    max_cooldown_s: Annotated[Seconds, Between(0, 86400)] = Seconds(600)
    """The most that ``cooldown_s`` is doubled to."""
    calm_s: Annotated[Seconds, Between(1, 604800)] = Seconds(3600)
    """How long the engine must answer before FAILED is left without an operator."""
    probe_idle_s: Annotated[Seconds, Between(0, 86400)] = Seconds(300)
    """How long a loaded model may be silent before it is asked for a token, as a probe; 0: for ever."""
    probe_timeout_s: Annotated[Seconds, Between(1, 3600)] = Seconds(60)
    """How long that token may take before the engine is restarted."""
    unanswered_s: Annotated[Seconds, Between(1, 86400)] = Seconds(30)
    """How long the engine may leave /api/version unanswered before it is restarted."""
    stall_s: Annotated[Seconds, Between(0.5, 86400)] = Seconds(20)
    """How long a model may write no token in mid-answer before the engine is restarted."""


class Backup(Section, frozen=True):
    """What is saved of this host, how often, and for how long. Never the models' weights: they can be pulled
    again.
    """

    path: Annotated[str, Spelled("an absolute path")] = "/var/lib/ia0/backups"
    """Folder of the archives, for its owner alone; made when it is missing."""
    interval_s: Annotated[Seconds, Between(0, 31 * 86400)] = Seconds(86400)
    """How often the daemon makes an archive; 0: only `ia0 backup create` does."""
    keep: Annotated[int, Meta(ge=1, le=1000)] = 14
    """How many archives are kept; older ones are deleted."""
    keep_age_s: Annotated[Seconds, Between(0, 3660 * 86400)] = Seconds(30 * 86400)
    """How old an archive may become; 0: any age. The newest good one always stays."""
    restore_test_interval_s: Annotated[Seconds, Between(0, 366 * 86400)] = Seconds(7 * 86400)
    """How often the newest archive is unpacked and checked in a scratch folder; 0: never."""
    include: tuple[Annotated[str, Spelled("an absolute path")], ...] = ()
    """More files and folders to save."""
    engine_path: Annotated[str, Spelled("an absolute path, or empty")] = ""
    """Folder of Ollama's keys (id_ed25519, server.json); empty: where Ollama or this user has it."""
    root_unit: Annotated[str, Spelled("a unit of systemd, such as ia0-backup-root.service, or empty")] = ""
    """Unit that collects as root what this user may not read; empty: that is left out, and said."""
    max_bytes: Annotated[Bytes, Between(2**20, 2**40)] = Bytes(2**30)
    """Most that the files of one archive may hold together, unpacked; more is refused."""


class Events(Section, frozen=True):
    """The history of what happened and what was done about it (`ia0 events`), in one small database."""

    path: Annotated[str, Spelled("an absolute path")] = "/var/lib/ia0/events.db"
    """The database; made, with its folder, when it is missing."""
    keep: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000
    """How many events are kept; older ones are deleted."""
    keep_age_s: Annotated[Seconds, Between(3600, 3660 * 86400)] = Seconds(90 * 86400)
    """How old an event may become."""


class Alerts(Section, frozen=True):
    """Who is told when something is wrong, and from when on it counts as wrong."""

    webhook_url: Annotated[str, Secret(), Spelled("an http:// or https:// address, or empty")] = ""
    """Where alerts are posted. Hidden in every output: such an address often is a password."""
    webhook_url_file: Annotated[str, Spelled("an absolute path, or empty")] = ""
    """File whose one line is the address; read for each message, so a changed one needs no reload."""
    webhook_format: Annotated[str, Meta(pattern=r"^(json|slack)$")] = "json"
    """What is posted: every field of the alert, or Slack's ``{"text": ...}``."""
    webhook_timeout_s: Annotated[Seconds, Between(0.1, 300)] = Seconds(10)
    """How long one attempt may wait for a connection, and again for the answer."""
    command: tuple[str, ...] = ()
    """Program and arguments, run without a shell; reads the alert as JSON on standard input."""
    command_timeout_s: Annotated[Seconds, Between(0.1, 600)] = Seconds(30)
    """How long the program may run before it is killed."""
    repeat_s: Annotated[Seconds, Between(60, 31 * 86400)] = Seconds(4 * 3600)
    """How often an alert that goes on is told again."""
    engine_down_after_s: Annotated[Seconds, Between(0, 86400)] = Seconds(60)
    """How long the engine must be gone before it is told: what the supervisor remedies at once is not."""
    restart_loop_count: Annotated[int, Meta(ge=2, le=1000)] = 6
    """How many restarts within the window are a loop, also where each is within the supervisor's budget."""
    restart_loop_window_s: Annotated[Seconds, Between(60, 7 * 86400)] = Seconds(86400)
    """The window of ``restart_loop_count``."""
    disk_free_percent: Annotated[int, Meta(ge=0, le=90)] = 5
    """How much of a watched disk must be free, in percent; 0: not watched."""
    backup_age_s: Annotated[Seconds, Between(0, 3660 * 86400)] = Seconds(0)
    """How old the newest backup may become; 0: twice ``backup.interval_s``."""


class Model(Section, frozen=True):
    """A model that applications may ask for."""

    name: PublicName
    """Its public name, which answers bear."""
    tag: Annotated[str, Spelled("a name:tag of Ollama, such as qwen2:7b")]
    """Its name in the engine, ``name:tag``."""
    aliases: tuple[PublicName, ...] = ()
    """Other names that requests may use for it."""
    languages: tuple[Annotated[str, Meta(pattern=r"^[a-z]{2,3}$")], ...] = ()
    """Languages that it is preferred for (ISO 639-1)."""
    num_ctx: Annotated[int, Meta(ge=0, le=10_000_000)] = 4096
    """Context length in tokens that it is loaded with; 0 leaves it to the engine."""
    memory: Annotated[Bytes, Between(0, 2**50)] = Bytes(0)
    """What it holds on the host when loaded, without prompt cache and mmapped weights; 0: unknown."""
    fallbacks: tuple[PublicName, ...] = ()
    """Models that answer in its place, in this order, where it cannot (public names)."""
    parallel: Annotated[int, Meta(ge=0, le=1024)] = 0
    """How many answers the engine writes at once for it; 0: ``engine.parallel``."""
    system: str = ""
    """What it is told before every prompt."""
    template: Annotated[str, Spelled("a text with {prompt} in it once, or empty")] = ""
    """What stands around the prompt of ``/llm/generate``, such as ``Answer shortly. {prompt}``."""
    normalize_whitespace: bool = False
    """Whether runs of blanks and of blank lines in prompts become one, and those at the ends are left out."""
    num_batch: Annotated[int, Meta(ge=0, le=65536)] = 0
    """Tokens that are read at once; 0 leaves it to the engine."""
    num_gpu: Annotated[int, Meta(ge=-1, le=10_000)] = -1
    """Layers on the GPU; -1 leaves it to the engine."""
    main_gpu: Annotated[int, Meta(ge=-1, le=64)] = -1
    """The GPU that small tensors lie on; -1 leaves it to the engine."""
    num_thread: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Threads that compute; 0 leaves it to the engine."""


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
