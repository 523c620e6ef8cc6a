"""The settings of what the gateway does with a request: who may ask, which model answers, what is kept.

A part of the table in ``schema.py``, which names these sections and is what everybody imports.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ia0_daemon.settings.section import Between, Count, PublicName, Secret, Section, Spelled
from ia0_daemon.settings.units import Bytes, Seconds


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
    """Models that it may use, by public names or aliases; empty: all."""
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
    """Models that answer in its place, in this order, where it cannot: public names or aliases."""
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
