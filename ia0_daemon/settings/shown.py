"""The effective configuration, line by line, with where each value comes from.

Owns what ``ia0 config show`` prints. Never shows what is secret.

    Loaded -> ("engine.timeout_s", "\\"30s\\"", "default")
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ia0_daemon.settings.assemble import DEFAULT
from ia0_daemon.settings.catalogue import ANY_ID, Path, settings
from ia0_daemon.settings.leaves import is_secret
from ia0_daemon.settings.load import Loaded
from ia0_daemon.settings.schema import ApiKey
from ia0_daemon.settings.toml_text import written


def lines(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """Key, value as TOML writes it, and origin, of every setting."""
    for path, hint in _paths(loaded):
        value = _value(loaded.settings, path)
        text = _hidden(value) if is_secret(hint) else written(value)
        yield ".".join(path), text, loaded.origins.get(".".join(path), DEFAULT)


def _paths(loaded: Loaded) -> Iterator[tuple[Path, object]]:
    """Every setting that there is, the models' one model after the other."""
    for in_model, group in groupby(settings(), key=lambda setting: ANY_ID in setting.path):
        found = list(group)
        if not in_model:
            yield from ((setting.path, setting.hint) for setting in found)
            continue
        for model_id in loaded.settings.models:
            yield from ((("models", model_id, setting.path[2]), setting.hint) for setting in found)


def _value(root: object, path: Path) -> object:
    value = root
    for part in path:
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


def _hidden(value: object) -> str:
    """Of the keys their names alone; of a text whether there is one."""
    if isinstance(value, str):
        return "(hidden)" if value else written(value)
    keys = value if isinstance(value, tuple) else ()
    names = ", ".join(f"{key.name} (hidden)" for key in keys if isinstance(key, ApiKey))
    return f"[{names}]"
