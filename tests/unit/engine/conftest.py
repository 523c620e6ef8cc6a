"""A scripted engine, and the client's parts in front of it; every kept connection is closed with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ia0_daemon.engine.client import EngineClient
from ia0_daemon.engine.control import LoadedModel
from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.engine.wire import Wire
from ia0_daemon.errors import EngineError
from ia0_daemon.settings.engine_address import parse
from ia0_daemon.settings.schema import Engine, Model
from ia0_daemon.settings.units import Seconds
from tests.scripted_engine import TAG, ScriptedEngine

MODEL = Model(name="smollm2-135m", tag=TAG, num_ctx=512)


class FakeControl:
    """What `EngineControl` says, without an engine."""

    def __init__(self, *loaded: str) -> None:
        self.models = list(loaded)
        self.reachable = True

    def version(self) -> str:
        if not self.reachable:
            raise EngineError("nobody there")
        return "0.33.0"

    def tags(self) -> list[str]:
        return [TAG]

    def loaded(self) -> list[LoadedModel]:
        return [LoadedModel(name) for name in self.models]


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as scripted:
        yield scripted


@pytest.fixture
def wire(engine: ScriptedEngine) -> Iterator[Wire]:
    wire = Wire(parse(engine.url), 5)
    yield wire
    wire.close()


@pytest.fixture
def patience() -> Patience:
    return bounded(5)


def bounded(seconds: float, gone: Callable[[], bool] = bool) -> Patience:
    patience = Patience(gone)
    patience.bound("first_token", seconds, "engine.first_token_timeout_s")
    return patience


@pytest.fixture
def control() -> FakeControl:
    return FakeControl(TAG)


@pytest.fixture
def watch(control: FakeControl) -> EngineWatch:
    watch = EngineWatch(control, 60)
    watch.refresh()
    return watch


@pytest.fixture
def client(wire: Wire, watch: EngineWatch) -> EngineClient:
    bounds = Engine(
        load_timeout_s=Seconds(5),
        first_token_timeout_s=Seconds(5),
        first_token_per_1k_chars_s=Seconds(0),
        timeout_s=Seconds(0.3),
    )
    return EngineClient(wire, watch, bounds)
