"""Engines for these tests: one that all share, and a function that starts others with faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.engine_process import EngineProcess


class Start(Protocol):
    """Starts an engine with these variables; it ends with the test."""

    def __call__(self, **environment: str) -> EngineProcess: ...


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with EngineProcess(tmp_path_factory.mktemp("embedded")) as engine:
        yield engine


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(**environment: str) -> EngineProcess:
            folder = tmp_path / f"engine-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            return stack.enter_context(EngineProcess(folder, env=environment))

        yield start
