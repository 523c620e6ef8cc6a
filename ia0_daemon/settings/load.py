"""File and environment, made into ``Settings`` or refused with all that is wrong.

Owns the order of precedence: environment before file before default. Never
keeps anything: a reload calls it again, and one that fails leaves the caller's
settings as they are.

    read the file -> lay the environment over it -> convert value by value -> add the keys of `auth.keys_path`
    -> try the rules between settings -> public names where an alias of a model stands
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ia0_daemon.settings import environment, memory_rules, toml_file
from ia0_daemon.settings.assemble import DEFAULT, Assembly, overlay
from ia0_daemon.settings.event_rules import EVENT_RULES
from ia0_daemon.settings.faults import ConfigError, Fault
from ia0_daemon.settings.findings import Finding
from ia0_daemon.settings.keys_file import KEYS_SETTING, CreatedKeys
from ia0_daemon.settings.public_names import by_public_name
from ia0_daemon.settings.rules import RULES
from ia0_daemon.settings.schema import Settings

# Where a value is said to come from when there is no file at all.
NO_FILE = "environment"

_SOCKET_KEY = "server.socket_path"
_KEYS_PATH_KEY = "auth.keys_path"


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each that is not a default comes from (file or variable)."""

    settings: Settings
    origins: Mapping[str, str]
    keys_from: Mapping[str, str] = field(default_factory=dict)
    """Where each API key stands, by its name."""


@dataclass(frozen=True)
class Source:
    """Where the configuration comes from; ``path`` None means environment and defaults alone."""

    path: Path | None
    environ: Mapping[str, str]
    machine_bytes: int | None = None
    """Memory of the machine that the configuration is for; None where it is for another than this."""

    def load(self) -> Settings:
        """The settings; ConfigError with every fault otherwise."""
        return self.read().settings

    def socket_path(self) -> tuple[str, str]:
        """The daemon's control socket and where it is set; faults of other settings do not matter to it."""
        settings, origin = self._alone(_SOCKET_KEY)
        return settings.server.socket_path, origin

    def keys_path(self) -> tuple[str, str]:
        """The file of the keys that are created and where it is set; other faults do not matter to it."""
        settings, origin = self._alone(_KEYS_PATH_KEY)
        return settings.auth.keys_path, origin

    def _alone(self, key: str) -> tuple[Settings, str]:
        tables = toml_file.read(self.path) if self.path is not None else {}
        assembly = Assembly(str(self.path) if self.path is not None else NO_FILE)
        settings = assembly.settings(overlay(tables, environment.read(self.environ)))
        faults = [fault for fault in assembly.faults if _within(key, fault.key)]
        if faults:
            raise ConfigError(faults)
        return settings, _origin(key, assembly.origins)

    def read(self) -> Loaded:
        """The settings and their origins; ConfigError with every fault otherwise."""
        return self._read(None)

    def trial(self, created: Sequence[object]) -> Loaded:
        """As `read`, with these tables in place of those of ``auth.keys_path``."""
        return self._read(list(created))

    def _read(self, created: list[object] | None) -> Loaded:
        overrides = environment.read(self.environ)
        try:
            tables = toml_file.read(self.path) if self.path is not None else {}
        except ConfigError as error:
            raise ConfigError([*error.faults, *overrides.faults]) from None
        assembly = Assembly(str(self.path) if self.path is not None else NO_FILE)
        configured = assembly.settings(overlay(tables, overrides))
        more = CreatedKeys.of(configured, created)
        settings = more.added_to(configured)
        faults = [*overrides.faults, *assembly.faults, *more.faults]
        refused = [fault.key for fault in faults] + ([KEYS_SETTING] if more.faults else [])
        for finding in _findings(settings, refused, self.machine_bytes):
            key, where = more.place_of(finding.key) or (finding.key, _origin(finding.key, assembly.origins))
            faults.append(Fault(key, finding.value, finding.rule, where))
        if faults:
            raise ConfigError(faults)
        keys_from = {key.name: _origin(KEYS_SETTING, assembly.origins) for key in configured.auth.keys}
        keys_from |= {key.name: more.path for key in more.keys}
        return Loaded(by_public_name(settings), more.origins(assembly.origins), keys_from)


def _findings(settings: Settings, refused: list[str], machine_bytes: int | None) -> list[Finding]:
    """What the rules between settings find, but for settings whose own value is already refused."""
    findings = [finding for rule in (*RULES, *EVENT_RULES) for finding in rule(settings)]
    findings += memory_rules.findings(settings, machine_bytes)
    return [finding for finding in findings if not any(_touches(finding, key) for key in refused)]


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Where a value comes from; an entry of a list comes from where the list does."""
    return origins.get(key) or origins.get(key.partition("[")[0], DEFAULT)


def _touches(finding: Finding, key: str) -> bool:
    return any(_within(one, key) or _within(key, one) for one in (finding.key, *finding.others))


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))
