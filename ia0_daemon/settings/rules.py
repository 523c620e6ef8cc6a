"""The rules between settings, and those that a type cannot say: one pure function each.

Owns what the daemon refuses although every value has the right type. Never
reads a file, the environment or the machine.

    RULES: each takes Settings and yields Findings
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ia0_daemon.keys import EXAMPLE_KEYS, looks_like_key
from ia0_daemon.settings import engine_address, listen_address
from ia0_daemon.settings.findings import Finding, Rule
from ia0_daemon.settings.gateway_rules import GATEWAY_RULES
from ia0_daemon.settings.schema import Settings
from ia0_daemon.settings.unit_rules import the_engine_has_one_keeper, units_are_services

# What a request says to let the router choose, so no model may be called so.
AUTO = "auto"

_PUBLIC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_PUBLIC_NAME_RULE = (
    "is not a model's name: letters, digits and . _ : / - (at most 128), a letter or digit first"
)
# [host/][namespace/]model[:tag], as Ollama's types/model takes it.
_TAG = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.:-]*/)?(?:[A-Za-z0-9_][A-Za-z0-9_-]{0,79}/)?"
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,79})?"
)


# A faulty entry of the list shifts the others' numbers, so these rules wait until there is none.
_KEYS = ("auth.keys",)


def listeners_are_addresses(settings: Settings) -> Iterator[Finding]:
    """Both listeners have the form host:port; an empty ``health_listen`` turns it off."""
    for name in ("listen", "health_listen"):
        text = getattr(settings.server, name)
        if name == "health_listen" and not text:
            continue
        try:
            listen_address.parse(text)
        except engine_address.AddressError as error:
            yield Finding(f"server.{name}", text, f"is not {error}")


def listeners_differ(settings: Settings) -> Iterator[Finding]:
    """The two listeners can both be bound."""
    main, health = _parsed(settings.server.listen), _parsed(settings.server.health_listen)
    if main is not None and health is not None and main.clashes(health):
        rule = f"needs the port that server.listen ({main}) takes; give one of them another"
        yield Finding("server.health_listen", settings.server.health_listen, rule, ("server.listen",))


def open_on_loopback_only(settings: Settings) -> Iterator[Finding]:
    """Whoever can be reached from other machines has at least one key."""
    main = _parsed(settings.server.listen)
    if main is not None and not main.is_loopback and not settings.auth.keys:
        rule = (
            "can be reached from other machines and auth.keys is empty: the daemon does not start open; "
            "add a key (`ia0 keys create NAME`) or listen on 127.0.0.1"
        )
        yield Finding("server.listen", settings.server.listen, rule, ("auth.keys",))


def keys_are_no_examples(settings: Settings) -> Iterator[Finding]:
    """A key that stands in the documents protects nothing."""
    for index, key in enumerate(settings.auth.keys):
        if key.sha256 in EXAMPLE_KEYS:
            rule = "is an example that everybody knows; make a key of your own with `ia0 keys new NAME`"
            yield Finding(f"auth.keys[{index}].sha256", None, rule, _KEYS)


def key_names_are_no_keys(settings: Settings) -> Iterator[Finding]:
    """A key in the place of its name would be written into every log line."""
    for index, key in enumerate(settings.auth.keys):
        if looks_like_key(key.name):
            rule = "is a key in the clear; name its user, and replace the key"
            yield Finding(f"auth.keys[{index}].name", None, rule, _KEYS)


def key_names_are_unique(settings: Settings) -> Iterator[Finding]:
    """A name in the log means one key, and a key has one name."""
    for field in ("name", "sha256"):
        seen: set[str] = set()
        for index, key in enumerate(settings.auth.keys):
            value = getattr(key, field)
            if value in seen:
                yield Finding(f"auth.keys[{index}].{field}", None, "appears twice among auth.keys", _KEYS)
            seen.add(value)


def socket_path_is_absolute(settings: Settings) -> Iterator[Finding]:
    """The command and the daemon run in different folders."""
    path = PurePosixPath(settings.server.socket_path)
    if not path.is_absolute() or not path.name or "\0" in str(path):
        yield Finding("server.socket_path", settings.server.socket_path, "is not an absolute path of a file")


def models_path_is_absolute(settings: Settings) -> Iterator[Finding]:
    """The engine and the daemon run in different folders."""
    path = settings.engine.models_path
    if path and (not PurePosixPath(path).is_absolute() or "\0" in path):
        yield Finding(
            "engine.models_path", path, "is not an absolute path; leave it empty if it is not known"
        )


def control_routes_find_a_thread(settings: Settings) -> Iterator[Finding]:
    """Streams hold a thread each; /models and /health need one as well."""
    server = settings.server
    if server.max_in_flight >= server.threads:
        rule = f"is not below server.threads ({server.threads})"
        yield Finding("server.max_in_flight", server.max_in_flight, rule, ("server.threads",))


def engine_is_an_address(settings: Settings) -> Iterator[Finding]:
    """OLLAMA_HOST in any of its forms."""
    try:
        engine_address.parse(settings.engine.host)
    except engine_address.AddressError as error:
        # Before an @ there may be a password.
        shown = None if "@" in settings.engine.host else settings.engine.host
        yield Finding("engine.host", shown, f"is not {error}")


def engine_is_another(settings: Settings) -> Iterator[Finding]:
    """A daemon that asks itself answers nothing until all its threads are gone."""
    try:
        engine = engine_address.parse(settings.engine.host)
        target = listen_address.parse(engine.netloc)
    except engine_address.AddressError:
        return
    for name in ("listen", "health_listen"):
        own = _parsed(getattr(settings.server, name))
        if own is not None and own.clashes(target) and (target.is_loopback or own.host == target.host):
            rule = f"is this daemon's own address (server.{name})"
            yield Finding("engine.host", settings.engine.host, rule, (f"server.{name}",))


def there_is_a_model(settings: Settings) -> Iterator[Finding]:
    """Without a model every request fails."""
    if not settings.models:
        yield Finding("models", None, "is empty; add a [models.<id>] with name and tag")


def model_names_are_valid(settings: Settings) -> Iterator[Finding]:
    """Public names, aliases and tags can be written in a request."""
    for key, name in _names(settings):
        if name.lower() == AUTO:
            yield Finding(key, name, "is what requests say to let the router choose; take another name")
        elif not _PUBLIC_NAME.fullmatch(name):
            yield Finding(key, name, _PUBLIC_NAME_RULE)
    for model_id, model in settings.models.items():
        if not _TAG.fullmatch(model.tag):
            yield Finding(
                f"models.{model_id}.tag", model.tag, "is not a name:tag of Ollama, such as qwen2:7b"
            )


def model_names_are_unique(settings: Settings) -> Iterator[Finding]:
    """A name means one model."""
    owners: dict[str, str] = {}
    for key, name in _names(settings):
        if name in owners:
            yield Finding(key, name, f"is taken by {owners[name]}", (owners[name],))
        owners.setdefault(name, key)


def default_model_is_known(settings: Settings) -> Iterator[Finding]:
    """The model of last resort exists."""
    names = [name for _, name in _names(settings)]
    if settings.default_model and settings.default_model not in names:
        rule = f"is not the name of a configured model: {', '.join(names) or 'there is none'}"
        yield Finding("default_model", settings.default_model, rule, ("models",))


def backup_paths_are_absolute(settings: Settings) -> Iterator[Finding]:
    """The scheduler and the command run in different folders."""
    backup = settings.backup
    named = [("path", backup.path), *((f"include[{at}]", path) for at, path in enumerate(backup.include))]
    if backup.engine_path:
        named.append(("engine_path", backup.engine_path))
    for name, path in named:
        if not PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\0" in path:
            yield Finding(f"backup.{name}", path, "is not an absolute path without `..`")


def backups_are_not_backed_up(settings: Settings) -> Iterator[Finding]:
    """Archives within archives double with each one."""
    folder = PurePosixPath(settings.backup.path)
    for index, path in enumerate(map(PurePosixPath, settings.backup.include)):
        if folder.is_relative_to(path) or path.is_relative_to(folder):
            rule = f"holds the archives themselves (backup.path is {folder}), or lies among them"
            yield Finding(f"backup.include[{index}]", str(path), rule, ("backup.path",))


def _parsed(text: str) -> listen_address.ListenAddress | None:
    try:
        return listen_address.parse(text)
    except engine_address.AddressError:
        return None


def _names(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every name that a request may use, with the setting that gives it."""
    for model_id, model in settings.models.items():
        yield f"models.{model_id}.name", model.name
        for index, alias in enumerate(model.aliases):
            yield f"models.{model_id}.aliases[{index}]", alias


RULES: tuple[Rule, ...] = (
    listeners_are_addresses,
    listeners_differ,
    open_on_loopback_only,
    keys_are_no_examples,
    key_names_are_no_keys,
    key_names_are_unique,
    socket_path_is_absolute,
    models_path_is_absolute,
    control_routes_find_a_thread,
    engine_is_an_address,
    engine_is_another,
    there_is_a_model,
    model_names_are_valid,
    model_names_are_unique,
    default_model_is_known,
    backup_paths_are_absolute,
    backups_are_not_backed_up,
    units_are_services,
    the_engine_has_one_keeper,
    *GATEWAY_RULES,
)
