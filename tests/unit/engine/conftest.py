"""A scripted engine, and the client's parts in front of it; every kept connection is closed with the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ia0_daemon.engine.client import EngineClient
from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.engine.wire import Wire
from ia0_daemon.settings.engine_address import parse
from ia0_daemon.settings.schema import Engine
from ia0_daemon.settings.units import Seconds
from tests.fakes import FakeControl, bounded
from tests.scripted_engine import ScriptedEngine

# For what must come: a shared machine may stand still for seconds.
LIMIT_S = 30


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as scripted:
        yield scripted


@pytest.fixture
def wire(engine: ScriptedEngine) -> Iterator[Wire]:
    wire = Wire(parse(engine.url), LIMIT_S)
    yield wire
    wire.close()


@pytest.fixture
def patience() -> Patience:
    return bounded(LIMIT_S)


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def watch(control: FakeControl) -> EngineWatch:
    watch = EngineWatch(control, 60)
    watch.refresh()
    return watch


@pytest.fixture
def client(wire: Wire, watch: EngineWatch) -> EngineClient:
    bounds = Engine(
        load_timeout_s=Seconds(LIMIT_S),
        first_token_timeout_s=Seconds(LIMIT_S),
        first_token_per_1k_chars_s=Seconds(0),
        timeout_s=Seconds(LIMIT_S),
    )
    return EngineClient(wire, watch, bounds)


@pytest.fixture
def impatient(wire: Wire, watch: EngineWatch) -> EngineClient:
    """One for which the engine may be silent for a moment between two tokens."""
    return EngineClient(wire, watch, Engine(first_token_timeout_s=Seconds(LIMIT_S), timeout_s=Seconds(0.3)))
