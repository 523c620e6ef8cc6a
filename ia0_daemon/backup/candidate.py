"""Whether a configuration would pass the daemon's own check, before it stands where the daemon reads it.

Owns the scratch copies that are checked. Never touches the real files.

    {path: bytes} -> scratch files -> Source(...).load() -> the faults
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ia0_daemon.settings import environment, toml_file
from ia0_daemon.settings.assemble import Assembly, overlay
from ia0_daemon.settings.catalogue import variable
from ia0_daemon.settings.environment import KEYS_FILE
from ia0_daemon.settings.faults import ConfigError, Fault
from ia0_daemon.settings.load import NO_FILE, Source
from ia0_daemon.settings.schema import Settings

CREATED_KEYS = variable(("auth", "keys_path"))


def faults_of(
    source: Source, config: bytes | None, keys: bytes | None, created: bytes | None = None
) -> list[str]:
    """What the daemon would refuse, with these bytes in place of its files (None: as they stand).

    ``created`` are the keys of ``auth.keys_path``, as the configuration names it that is checked.
    """
    with tempfile.TemporaryDirectory(prefix="ia0-check-") as name:
        folder, environ = Path(name), dict(source.environ)
        shown: dict[str, str] = {}
        path = source.path
        if config is not None and path is not None:
            path = _put(folder / "ia0.toml", config, path, shown)
        if keys is not None and environ.get(KEYS_FILE):
            environ[KEYS_FILE] = str(_put(folder / "keys.toml", keys, Path(environ[KEYS_FILE]), shown))
        if created is not None:
            real = created_keys_path(source, config)
            environ[CREATED_KEYS] = str(_put(folder / "created.toml", created, real, shown))
        try:
            dataclasses.replace(source, path=path, environ=environ).load()
        except ConfigError as error:
            return [_told(fault, shown) for fault in error.faults]
    return []


def created_keys_path(source: Source, config: bytes | None) -> Path:
    """Where a configuration (None: as it stands) has the keys that are created, as a backup saves it."""
    settings = settings_anyhow(source)[0] if config is None else settings_of(source, config)
    path = Path(settings.auth.keys_path)
    return path.parent.resolve() / path.name


def _put(path: Path, content: bytes, stands_for: Path, shown: dict[str, str]) -> Path:
    path.write_bytes(content)
    shown[str(path)] = str(stands_for)
    return path


def _told(fault: Fault, shown: Mapping[str, str]) -> str:
    """The fault with the name of the file that it is meant for."""
    text = str(fault)
    for scratch, real in shown.items():
        text = text.replace(scratch, real)
    return text


def settings_anyhow(source: Source) -> tuple[Settings, list[str]]:
    """The settings, and what is wrong with them: a restore must work where the configuration is broken.

    What is at fault has its default; of a file that is no TOML nothing is left but the environment.
    """
    try:
        return source.load(), []
    except ConfigError as error:
        faults = error.lines()
    try:
        tables = toml_file.read(source.path) if source.path is not None else {}
    except ConfigError:
        tables = {}
    assembly = Assembly(str(source.path) if source.path is not None else NO_FILE)
    return assembly.settings(overlay(tables, environment.read(source.environ))), faults


def settings_of(source: Source, config: bytes) -> Settings:
    """The settings that a configuration's bytes would give; what is at fault has its default."""
    with tempfile.TemporaryDirectory(prefix="ia0-check-") as name:
        path = Path(name) / "ia0.toml"
        path.write_bytes(config)
        return settings_anyhow(dataclasses.replace(source, path=path))[0]
