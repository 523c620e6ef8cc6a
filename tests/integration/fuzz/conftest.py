"""The engine and the daemons that bad requests are fired at, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess
from tests.fuzz.daemons import fuzzed

Fuzzed = tuple[DaemonProcess, DaemonProcess, str]


@pytest.fixture(scope="session")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """One that is open, one with an administrator's key, and the key."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "engine").mkdir()
    with EngineProcess(folder / "engine") as engine, fuzzed(folder, engine.url) as running:
        yield running
