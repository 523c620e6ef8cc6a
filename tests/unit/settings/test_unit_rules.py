"""Which units the configuration may name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ia0_daemon.settings.faults import Fault

Faults = Callable[..., dict[str, Fault]]


@pytest.mark.parametrize("unit", ["ollama.service", "ollama@0.service", "ia0-backup-root.service"])
def test_a_service_unit_is_taken(faults: Faults, unit: str) -> None:
    assert faults(f'[restart]\nengine_unit = "{unit}"\n[backup]\nroot_unit = "{unit}"') == {}


@pytest.mark.parametrize("unit", ["ollama", "--now.service", "/etc/x.service", "a b.service", "ia0.socket"])
def test_what_is_no_service_unit_is_refused(faults: Faults, unit: str) -> None:
    found = faults(f'[restart]\nengine_unit = "{unit}"\n[backup]\nroot_unit = "{unit}"')
    assert set(found) == {"restart.engine_unit", "backup.root_unit"}
    assert "such as ollama.service" in found["restart.engine_unit"].rule


def test_an_engine_is_a_unit_or_a_process_of_this_user(faults: Faults) -> None:
    found = faults('[restart]\nengine_unit = "ollama.service"\nengine_service_file = "/e.toml"')
    assert "excludes restart.engine_service_file (/e.toml)" in found["restart.engine_unit"].rule
