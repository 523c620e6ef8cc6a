"""Which model a name in the settings means: its public name or an alias, with the public name for either.

Owns that the daemon itself knows models by public names alone. Pure; the rules see the names as they were
written, everybody after them the public ones.

    settings, judged -> by_public_name -> fallbacks and keys' models without an alias in them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ia0_daemon.settings.schema import Settings


def public_names(settings: Settings) -> dict[str, str]:
    """Give every name that a setting may use for a model, with the model's public name."""
    return {name: model.name for model in settings.models.values() for name in (model.name, *model.aliases)}


def by_public_name(settings: Settings) -> Settings:
    """Give the settings with public names where an alias stands; a name of no model stays as it is."""
    named = public_names(settings)
    models = {
        model_id: replace(model, fallbacks=_each(named, model.fallbacks))
        for model_id, model in settings.models.items()
    }
    keys = tuple(replace(key, models=_each(named, key.models)) for key in settings.auth.keys)
    return replace(settings, models=models, auth=replace(settings.auth, keys=keys))


def _each(named: Mapping[str, str], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(named.get(name, name) for name in names))
