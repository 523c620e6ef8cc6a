"""The daemons that bad requests are fired at, and one before a real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon_process import DaemonProcess
from tests.engine_process import EngineProcess
from tests.fuzz.daemons import BOUNDS, fuzzed

Fuzzed = tuple[DaemonProcess, DaemonProcess, str]


@pytest.fixture(scope="session")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """One that is open, one with an administrator's key, and the key."""
    with fuzzed(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


@pytest.fixture(scope="session")
def real_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon before the embedded engine, whose answers are short."""
    with (
        EngineProcess(tmp_path_factory.mktemp("engine")) as engine,
        DaemonProcess(tmp_path_factory.mktemp("daemon"), engine.url, BOUNDS) as running,
    ):
        yield running
