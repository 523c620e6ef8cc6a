"""Loading a configuration from texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ia0_daemon.settings.faults import ConfigError, Fault
from ia0_daemon.settings.load import Source
from ia0_daemon.settings.schema import Settings

Load = Callable[..., Settings]
Faults = Callable[..., dict[str, Fault]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ia0.toml"


@pytest.fixture
def load(file: Path) -> Load:
    """Load a TOML text together with an environment."""

    def load(toml: str = "", environ: Mapping[str, str] | None = None) -> Settings:
        file.write_text(toml, "utf-8")
        return Source(file, environ or {}).load()

    return load


@pytest.fixture
def faults(load: Load) -> Faults:
    """What is wrong with a configuration, by key; an empty dict if nothing is."""

    def faults(toml: str = "", environ: Mapping[str, str] | None = None) -> dict[str, Fault]:
        try:
            load(toml, environ)
        except ConfigError as error:
            return {fault.key: fault for fault in error.faults}
        return {}

    return faults
