"""The rules of what the gateway does: languages, fallbacks, templates, keys' limits, the shared store.

Pure, as those of `rules.py`, which lists them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from pathlib import PurePosixPath

from ia0_daemon.settings import store_address
from ia0_daemon.settings.findings import Finding
from ia0_daemon.settings.languages import LANGUAGES
from ia0_daemon.settings.schema import Settings

PROMPT = "{prompt}"
# A faulty entry of the list shifts the others' numbers, so these rules wait until there is none.
_KEYS = ("auth.keys",)


def languages_are_known(settings: Settings) -> Iterator[Finding]:
    """The detector can recognise them."""
    for language in settings.routing.languages:
        if language not in LANGUAGES:
            close = get_close_matches(language, LANGUAGES, n=3, cutoff=0.5)
            hint = f"; near it: {', '.join(close)}" if close else ""
            yield Finding("routing.languages", language, f"is not a language that the detector knows{hint}")


def languages_are_told_apart(settings: Settings) -> Iterator[Finding]:
    """A model for a language that nobody recognises would never be chosen."""
    known = settings.routing.languages
    for model_id, model in settings.models.items():
        for language in model.languages:
            if language not in known:
                rule = f"is not among routing.languages ({', '.join(known)})"
                yield Finding(f"models.{model_id}.languages", language, rule, ("routing.languages",))


def fallbacks_are_other_models(settings: Settings) -> Iterator[Finding]:
    """A fallback has the public name of another model, and stands there once."""
    names = [model.name for model in settings.models.values()]
    for model_id, model in settings.models.items():
        key = f"models.{model_id}.fallbacks"
        for index, name in enumerate(model.fallbacks):
            if name not in names:
                yield Finding(key, name, f"is not the name of a model: {', '.join(names)}", ("models",))
            elif name == model.name:
                yield Finding(key, name, "is the model itself")
            elif name in model.fallbacks[:index]:
                yield Finding(key, name, "stands there twice")


def templates_hold_a_prompt(settings: Settings) -> Iterator[Finding]:
    """A template without the prompt asks the same of everybody."""
    for model_id, model in settings.models.items():
        if model.template and model.template.count(PROMPT) != 1:
            yield Finding(f"models.{model_id}.template", model.template, f"must hold {PROMPT} once")


def keys_end_at_a_time(settings: Settings) -> Iterator[Finding]:
    """An expiry that cannot be read would let a key live for ever."""
    for index, key in enumerate(settings.auth.keys):
        if key.expires and expiry(key.expires) is None:
            rule = "is not a time with its zone, such as 2027-01-31T00:00:00Z"
            yield Finding(f"auth.keys[{index}].expires", key.expires, rule, _KEYS)


def keys_models_are_known(settings: Settings) -> Iterator[Finding]:
    """A key that may use a model which is not there may use none."""
    names = [model.name for model in settings.models.values()]
    for index, key in enumerate(settings.auth.keys):
        for name in key.models:
            if name not in names:
                rule = f"is not the name of a model: {', '.join(names)}"
                yield Finding(f"auth.keys[{index}].models", name, rule, ("models",))


def entries_fit_the_cache(settings: Settings) -> Iterator[Finding]:
    """An answer larger than the whole cache would empty it."""
    cache = settings.cache
    if cache.max_entry_bytes > cache.max_bytes:
        rule = f"is more than cache.max_bytes ({cache.max_bytes})"
        yield Finding("cache.max_entry_bytes", cache.max_entry_bytes, rule, ("cache.max_bytes",))


def the_store_has_one_address(settings: Settings) -> Iterator[Finding]:
    """The address stands in the file or beside it, and is one of Valkey's or Redis'."""
    shared = settings.shared
    if shared.url and shared.url_file:
        rule = "is set beside shared.url; leave one of them empty"
        yield Finding("shared.url_file", shared.url_file, rule, ("shared.url",))
    rule = store_address.broken_rule(shared.url) if shared.url else ""
    if rule:
        yield Finding("shared.url", None, rule)


def state_paths_are_absolute(settings: Settings) -> Iterator[Finding]:
    """The command and the daemon run in different folders."""
    named = {
        "auth.keys_path": settings.auth.keys_path,
        "auth.usage_path": settings.auth.usage_path,
        "shared.url_file": settings.shared.url_file,
    }
    for key, path in named.items():
        if path and (not PurePosixPath(path).is_absolute() or "\0" in path):
            yield Finding(key, path, "is not an absolute path")


def expiry(text: str) -> datetime | None:
    """Give the time that a text says; none where it says none with a zone."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo is not None else None


GATEWAY_RULES = (
    languages_are_known,
    languages_are_told_apart,
    fallbacks_are_other_models,
    templates_hold_a_prompt,
    keys_end_at_a_time,
    keys_models_are_known,
    entries_fit_the_cache,
    the_store_has_one_address,
    state_paths_are_absolute,
)
