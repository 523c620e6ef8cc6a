"""A history in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ia0_daemon.supervisor.event_kinds import Kind
from ia0_daemon.supervisor.event_metrics import EventMetrics
from ia0_daemon.supervisor.event_rows import Keep
from ia0_daemon.supervisor.event_store import EventStore
from ia0_daemon.supervisor.events import Event

Open = Callable[..., EventStore]
KEEP = Keep(count=1000, age_s=86400)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history" / "events.db"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def open_store(path: Path) -> Iterator[Open]:
    """Open a history; all are closed at the end."""
    opened: list[EventStore] = []

    def open_store(registry: CollectorRegistry | None = None, keep: Keep = KEEP) -> EventStore:
        store = EventStore(path, keep, EventMetrics(registry or CollectorRegistry()))
        store.start()
        opened.append(store)
        return store

    yield open_store
    for store in opened:
        store.stop()


@pytest.fixture
def store(open_store: Open, registry: CollectorRegistry) -> EventStore:
    return open_store(registry)


@pytest.fixture
def drain() -> Callable[[int], Event]:
    """An event that differs from the others by its number."""
    return lambda number: Event.now(Kind.DRAIN, f"drain {number}", number=number)
