"""File and environment, made into ``Settings`` or refused with all that is wrong.

Owns the order of precedence: environment before file before default. Never
keeps anything: a reload calls it again, and one that fails leaves the caller's
settings as they are.

    read the file -> lay the environment over it -> convert value by value -> try the rules between settings
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ia0_daemon.settings import environment, memory_rules, toml_file
from ia0_daemon.settings.assemble import DEFAULT, Assembly, overlay
from ia0_daemon.settings.event_rules import EVENT_RULES
from ia0_daemon.settings.faults import ConfigError, Fault
from ia0_daemon.settings.findings import Finding
from ia0_daemon.settings.rules import RULES
from ia0_daemon.settings.schema import Settings

# Where a value is said to come from when there is no file at all.
NO_FILE = "environment"

_SOCKET_KEY = "server.socket_path"


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each that is not a default comes from (file or variable)."""

    settings: Settings
    origins: Mapping[str, str]


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
        tables = toml_file.read(self.path) if self.path is not None else {}
        assembly = Assembly(str(self.path) if self.path is not None else NO_FILE)
        settings = assembly.settings(overlay(tables, environment.read(self.environ)))
        faults = [fault for fault in assembly.faults if _within(_SOCKET_KEY, fault.key)]
        if faults:
            raise ConfigError(faults)
        return settings.server.socket_path, _origin(_SOCKET_KEY, assembly.origins)

    def read(self) -> Loaded:
        """The settings and their origins; ConfigError with every fault otherwise."""
        overrides = environment.read(self.environ)
        try:
            tables = toml_file.read(self.path) if self.path is not None else {}
        except ConfigError as error:
            raise ConfigError([*error.faults, *overrides.faults]) from None
        assembly = Assembly(str(self.path) if self.path is not None else NO_FILE)
        settings = assembly.settings(overlay(tables, overrides))
        faults = [*overrides.faults, *assembly.faults]
        faults += _between_settings(settings, faults, assembly.origins, self.machine_bytes)
        if faults:
            raise ConfigError(faults)
        return Loaded(settings, assembly.origins)


def _between_settings(
    settings: Settings, known: list[Fault], origins: Mapping[str, str], machine_bytes: int | None
) -> list[Fault]:
    """The rules' findings, but for those about a setting whose own value is already refused."""
    findings = [finding for rule in (*RULES, *EVENT_RULES) for finding in rule(settings)]
    findings += memory_rules.findings(settings, machine_bytes)
    return [
        Fault(finding.key, finding.value, finding.rule, _origin(finding.key, origins))
        for finding in findings
        if not any(_touches(finding, fault.key) for fault in known)
    ]


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Where a value comes from; an entry of a list comes from where the list does."""
    return origins.get(key) or origins.get(key.partition("[")[0], DEFAULT)


def _touches(finding: Finding, key: str) -> bool:
    return any(_within(one, key) or _within(key, one) for one in (finding.key, *finding.others))


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))
