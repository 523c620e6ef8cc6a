"""Try-outs that are brought down again, whatever a test did to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.provisioning.site import Site, free_site


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A try-out that was brought up once; a test that changes it leaves it running."""
    running = free_site(tmp_path_factory.mktemp("site") / "ia0")
    try:
        first = running.up_with_proof()
        assert first.code == 0, first.output
        yield running
    finally:
        assert running.down().code == 0
        assert running.processes("ia0") | running.processes("engine") == set()


@pytest.fixture
def fresh_site(tmp_path: Path) -> Iterator[Site]:
    """A try-out that was not brought up."""
    fresh = free_site(tmp_path / "ia0")
    yield fresh
    if fresh.folder.exists():
        assert fresh.down().code == 0
