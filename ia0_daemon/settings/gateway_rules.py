"""The rules of what the gateway does: languages, fallbacks, templates, keys' limits, the shared store.

Pure, as those of `rules.py`, which lists them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from pathlib import PurePosixPath

from ia0_daemon.settings import store_address
from ia0_daemon.settings.findings import Finding
from ia0_daemon.settings.languages import LANGUAGES
from ia0_daemon.settings.public_names import public_names
from ia0_daemon.settings.schema import Routing, Settings

PROMPT = "{prompt}"
# What a wrong code is told where none is near it: the schema's own default.
_SOME = ", ".join(Routing().languages)
# How many codes are near enough to be told.
_NEAR = 5
# A faulty entry of the list shifts the others' numbers, so these rules wait until there is none.
_KEYS = ("auth.keys",)


def languages_are_known(settings: Settings) -> Iterator[Finding]:
    """The detector can recognise them."""
    for index, language in enumerate(settings.routing.languages):
        if language not in LANGUAGES:
            rule = f"is not a language that the detector knows; {_known_languages(language)}"
            yield Finding(f"routing.languages[{index}]", language, rule)


def _known_languages(wrong: str) -> str:
    """Those that are near, with the same first letter before others; where there are none, some."""
    close = get_close_matches(wrong, LANGUAGES, n=len(LANGUAGES), cutoff=0.5)
    near = sorted(close, key=lambda code: (code[0] != wrong[0], code))[:_NEAR]
    return f"near it: {', '.join(near)}" if near else f"codes of ISO 639-1, such as {_SOME}"


def languages_are_told_apart(settings: Settings) -> Iterator[Finding]:
    """A model for a language that nobody recognises would never be chosen."""
    known = settings.routing.languages
    for model_id, model in settings.models.items():
        for index, language in enumerate(model.languages):
            if language not in known:
                rule = (
                    f"is not among routing.languages ({', '.join(known)}); add it there, or take it out here"
                )
                key = f"models.{model_id}.languages[{index}]"
                yield Finding(key, language, rule, ("routing.languages",))


def fallbacks_are_other_models(settings: Settings) -> Iterator[Finding]:
    """A fallback is another model by any of its names, and stands there once."""
    named = public_names(settings)
    for model_id, model in settings.models.items():
        before: set[str] = set()
        for index, name in enumerate(model.fallbacks):
            rule = _broken_fallback(named, model.name, before, name)
            if rule:
                yield Finding(f"models.{model_id}.fallbacks[{index}]", name, rule, ("models",))
            before.add(named.get(name, name))


def _broken_fallback(named: Mapping[str, str], own: str, before: set[str], name: str) -> str:
    public = named.get(name)
    if public is None:
        return _unknown_model(named)
    alias = "" if name == public else f" (an alias of {public})"
    if public == own:
        return f"is the model itself{alias}"
    return f"stands there twice{alias}" if public in before else ""


def _unknown_model(named: Iterable[str]) -> str:
    return f"is not the name of a model: {', '.join(named)}"


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
    named = public_names(settings)
    for index, key in enumerate(settings.auth.keys):
        for place, name in enumerate(key.models):
            if name not in named:
                where = f"auth.keys[{index}].models[{place}]"
                yield Finding(where, name, _unknown_model(named), ("models",))


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
