"""What the environment says about the settings.

Owns the two families of names: the users' own (OLLAMA_HOST, TIMEOUT ...) and
``IA0_<SECTION>__<KEY>``. Never decides what a value means (``leaves.py`` does),
and never looks at a variable that is not one of these.

    variables -> the setting each names -> {path: Text}, and the faults
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path as FilePath

from ia0_daemon.settings import toml_file
from ia0_daemon.settings.catalogue import USER_NAMES, Path, find, settings, variable
from ia0_daemon.settings.faults import ConfigError, Fault, unknown
from ia0_daemon.settings.leaves import from_text

PREFIX = "IA0_"
KEYS_PATH: Path = ("auth", "keys")
# The keys may stand in a file of their own: a credential of systemd, a secret of a container.
KEYS_FILE = "IA0_AUTH__KEYS_FILE"


@dataclass(frozen=True)
class Text:
    """A value that stands in the environment."""

    value: str
    where: str


@dataclass(frozen=True)
class Foreign:
    """A value that stands in another file than the configuration."""

    value: object
    where: str


@dataclass
class Overrides:
    """What the environment sets."""

    values: dict[Path, Text | Foreign] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read(environ: Mapping[str, str]) -> Overrides:
    """All overrides of an environment, with the faults of their names."""
    overrides = Overrides()
    for path, text in [*_user_values(environ), *_own_values(environ, overrides.faults)]:
        _add(overrides, path, text)
    _add_keys_file(environ, overrides)
    return overrides


def _user_values(environ: Mapping[str, str]) -> Iterator[tuple[Path, Text]]:
    for name, path in USER_NAMES.items():
        # An empty one is not set: so `.env` files write it, and so Ollama reads its own.
        if environ.get(name, "").strip():
            yield path, Text(environ[name], name)


def _own_values(environ: Mapping[str, str], faults: list[Fault]) -> Iterator[tuple[Path, Text]]:
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == KEYS_FILE:
            continue
        path = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
        if name == name.upper() and find(path) is not None:
            yield path, Text(environ[name], name)
        elif _means_a_setting(name):
            faults.append(Fault(name, None, unknown(name, _known(), cutoff=0.75), "environment"))


def _known() -> list[str]:
    return [*(variable(setting.path) for setting in settings()), KEYS_FILE]


def _means_a_setting(name: str) -> bool:
    """Whether an unknown name is a mistyped setting; IA0_CONFIG, IA0_PORT and the like are other things."""
    top_level = [variable(setting.path) for setting in settings() if len(setting.path) == 1]
    return "__" in name or bool(get_close_matches(name, top_level, n=1, cutoff=0.8))


def _add(overrides: Overrides, path: Path, text: Text) -> None:
    earlier = overrides.values.get(path)
    if isinstance(earlier, Text) and _differ(path, earlier.value, text.value):
        rule = f"is set by {earlier.where} and {text.where} to different values; unset one"
        overrides.faults.append(Fault(".".join(path), None, rule, "environment"))
    overrides.values[path] = text


def _differ(path: Path, one: str, other: str) -> bool:
    """Whether two texts mean different values; a text that means none is another fault."""
    setting = find(path)
    try:
        return setting is not None and from_text(setting.hint, one) != from_text(setting.hint, other)
    except ValueError:
        return False


def _add_keys_file(environ: Mapping[str, str], overrides: Overrides) -> None:
    name = environ.get(KEYS_FILE, "").strip()
    if not name:
        return
    if KEYS_PATH in overrides.values:
        rule = f"is set by {variable(KEYS_PATH)} and {KEYS_FILE}; unset one"
        overrides.faults.append(Fault(".".join(KEYS_PATH), None, rule, "environment"))
        return
    try:
        overrides.values[KEYS_PATH] = Foreign(_keys_of(name), name)
    except ConfigError as error:
        overrides.faults.extend(error.faults)


def _keys_of(name: str) -> object:
    tables = toml_file.read(FilePath(name))
    if set(tables) != {"keys"}:
        rule = "must hold [[keys]] tables with name and sha256, and nothing else"
        raise ConfigError([Fault(".".join(KEYS_PATH), None, rule, name)])
    return tables["keys"]
