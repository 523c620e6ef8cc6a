"""The settings of what the supervisor watches, does and tells: memory, restarts, backups, history, alerts.

A part of the table in ``schema.py``, which names these sections and is what everybody imports.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ia0_daemon.settings.section import Between, Secret, Section, Spelled
from ia0_daemon.settings.units import Amount, Bytes, Seconds


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
