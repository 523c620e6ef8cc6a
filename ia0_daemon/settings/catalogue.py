"""The table of settings seen from outside: every key, its type, its variable and its default.

Owns the ways from a key to its type and to its environment names. Never reads a value.

    schema.Settings -> settings() -> Setting(path, hint, default)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, get_args, get_origin, get_type_hints

import msgspec

from ia0_daemon.settings.schema import Model, Section, Settings

Path = tuple[str, ...]

# The names that the service's users agreed on; each stands for one setting.
USER_NAMES: dict[str, Path] = {
    "OLLAMA_HOST": ("engine", "host"),
    "MODEL_QWEN2": ("models", "qwen2", "name"),
    "MODEL_LLAMA": ("models", "llama", "name"),
    "MAX_TOKENS": ("limits", "max_tokens"),
    "TIMEOUT": ("engine", "timeout_s"),
    "LOG_LEVEL": ("log", "level"),
}

ANY_ID = "<id>"
# Part of an environment name, so neither a hyphen nor two underscores in a row.
MODEL_ID = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
MODEL_ID_RULE = "is not an id of a model: small letters, digits and single underscores, a letter first"


@dataclass(frozen=True)
class Setting:
    """One key of the configuration. A key of a model has ``<id>`` in its path."""

    path: Path
    hint: object
    default: object
    """NODEFAULT where the file must say it."""

    @property
    def key(self) -> str:
        """As the documents write it: ``engine.timeout_s``."""
        return ".".join(self.path)

    @property
    def variables(self) -> tuple[str, ...]:
        """Its environment names, the users' own first."""
        own = tuple(name for name, path in USER_NAMES.items() if _matches(self.path, path))
        return (*own, variable(self.path))


def _matches(pattern: Path, path: Path) -> bool:
    return len(pattern) == len(path) and all(
        here in (ANY_ID, there) for here, there in zip(pattern, path, strict=True)
    )


def variable(path: Path) -> str:
    """The ``IA0_`` name of a setting: IA0_SERVER__LISTEN, IA0_DEFAULT_MODEL."""
    return "IA0_" + "__".join(part.upper() for part in path)


def hints(section: type[Section]) -> dict[str, object]:
    """The types of a section's keys, with their ranges and marks."""
    return dict(get_type_hints(section, include_extras=True))


def bare(hint: object) -> object:
    """A type without its ranges and marks."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def as_section(hint: object) -> type[Section] | None:
    """The section that a type is, if it is one."""
    kind = bare(hint)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def as_tables(hint: object) -> type[Section] | None:
    """The section that ``[table.<id>]`` holds, if the type is such a table."""
    kind = bare(hint)
    return as_section(get_args(kind)[1]) if get_origin(kind) is dict else None


def as_list(hint: object) -> type[Section] | None:
    """The section that ``[[list]]`` holds, if the type is such a list."""
    kind = bare(hint)
    return as_section(get_args(kind)[0]) if get_origin(kind) is tuple else None


def settings(section: type[Section] = Settings, path: Path = ()) -> Iterator[Setting]:
    """Every setting, in the order of the schema."""
    for field in msgspec.structs.fields(section):
        here = (*path, field.name)
        hint = hints(section)[field.name]
        inner, tables = as_section(hint), as_tables(hint)
        if inner is not None:
            yield from settings(inner, here)
        elif tables is not None:
            yield from settings(tables, (*here, ANY_ID))
        else:
            yield Setting(here, hint, field.default)


def find(path: Path) -> Setting | None:
    """The setting at a path, where a model's id may be any that is well formed."""
    if len(path) == 3 and path[0] == "models" and MODEL_ID.fullmatch(path[1]) and path[2] in hints(Model):
        path = (path[0], ANY_ID, path[2])
    return next((setting for setting in settings() if setting.path == path), None)
