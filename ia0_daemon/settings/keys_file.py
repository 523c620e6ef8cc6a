"""The keys that ``ia0 keys create`` makes: the file ``auth.keys_path`` and its place in the settings.

Owns the file's form (``[[keys]]`` tables and nothing else) and how its faults are told. Never writes it
(``keys_store.py`` does).

    path -> tables -> CreatedKeys -> behind the keys of the configuration
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ia0_daemon.settings import toml_file
from ia0_daemon.settings.assemble import Assembly
from ia0_daemon.settings.faults import ConfigError, Fault
from ia0_daemon.settings.schema import ApiKey, Settings

# What the list is called in the file, and as a setting.
KEYS = "keys"
KEYS_SETTING = "auth.keys"

_ENTRY = re.compile(r"auth\.keys\[(?P<index>\d+)\](?P<rest>.*)")


def read(path: str) -> list[object]:
    """The tables of the file; none where it is not named or not there. ConfigError where it is another."""
    # A path that is not absolute is another rule's fault.
    if not path or not Path(path).is_absolute() or "\0" in path:
        return []
    tables = toml_file.read_if_there(Path(path))
    if not tables:
        return []
    found = tables.get(KEYS)
    if set(tables) != {KEYS} or not isinstance(found, list):
        rule = "must hold [[keys]] tables with name and sha256, and nothing else"
        raise ConfigError([Fault(KEYS, None, rule, path)])
    return found


@dataclass(frozen=True)
class CreatedKeys:
    """The keys of the file, which stand behind the ``first`` ones of the configuration."""

    path: str
    first: int
    keys: tuple[ApiKey, ...]
    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, configured: Settings, tables: list[object] | None) -> CreatedKeys:
        """Those of the file, or of these tables in its place."""
        path, first = configured.auth.keys_path, len(configured.auth.keys)
        try:
            found = read(path) if tables is None else tables
        except ConfigError as error:
            return cls(path, first, (), error.faults)
        assembly = Assembly(path)
        keys = assembly.more_keys(found, KEYS)
        return cls(path, first, keys, tuple(assembly.faults))

    def added_to(self, settings: Settings) -> Settings:
        """The settings with these keys, so that every rule counts them."""
        auth = msgspec.structs.replace(settings.auth, keys=settings.auth.keys + self.keys)
        return msgspec.structs.replace(settings, auth=auth)

    def place_of(self, key: str) -> tuple[str, str] | None:
        """What an entry of ``auth.keys`` is called in the file, and the file; None where it is not of it."""
        entry = _ENTRY.match(key)
        if entry is None or int(entry["index"]) < self.first:
            return None
        return f"{KEYS}[{int(entry['index']) - self.first}]{entry['rest']}", self.path

    def origins(self, origins: Mapping[str, str]) -> Mapping[str, str]:
        """Where the settings come from, with the file beside the configuration as the keys' origin."""
        if not self.keys:
            return origins
        both = [origins[KEYS_SETTING]] if self.first else []
        return {**origins, KEYS_SETTING: ", ".join([*both, self.path])}
