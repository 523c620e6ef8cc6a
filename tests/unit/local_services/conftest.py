"""Services of real, small processes in a folder of the test's own; all of them are ended with it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from ia0_daemon.local_services import manager
from ia0_daemon.local_services.spec import Service

MakeService = Callable[..., Service]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what comes about by itself."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come about within 30 s"
        time.sleep(0.02)


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[MakeService]:
    """Make a Service; by default one that sleeps."""
    made: list[Service] = []

    def make(**changes: object) -> Service:
        service = Service(
            name="sleeper",
            command=("sleep", "1000"),
            directory=str(tmp_path),
            log_path=str(tmp_path / "log"),
            run_path=str(tmp_path / "run.json"),
            stop_timeout_s=20,
        )
        made.append(msgspec.structs.replace(service, **changes))
        return made[-1]

    yield make
    for service in made:
        manager.stop(service)


@pytest.fixture
def python_service(make_service: MakeService) -> MakeService:
    """Make a Service that runs a piece of Python."""

    def make(code: str, **changes: object) -> Service:
        return make_service(command=(sys.executable, "-u", "-c", code), **changes)

    return make
