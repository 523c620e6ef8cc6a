"""Real processes: a leak is seen, page cache and mmapped weights are not, and children have their names."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ia0_daemon.settings.schema import Backup, Memory, Settings
from ia0_daemon.settings.units import Amount
from ia0_daemon.supervisor.cost import PROMISED_PERCENT, measure
from ia0_daemon.supervisor.find_engine import Listener
from ia0_daemon.supervisor.read_gpus import Gpus
from ia0_daemon.supervisor.read_sample import Sampler, Surroundings
from ia0_daemon.supervisor.samples import Child
from ia0_daemon.supervisor.sense import Sense
from tests.engine_process import MODEL, WEIGHTS_DIGEST, EngineProcess
from tests.integration.supervisor.real_child import MIB, RealEngine

SIZE = 96
# What an interpreter may do by itself meanwhile.
NOISE = 8 * MIB


class Watched:
    """A sense on an engine, with thresholds that a small leak passes."""

    def __init__(self, find: Callable[[], int | None], folder: Path) -> None:
        memory = Memory(
            soft_samples=2,
            hard_samples=2,
            child_growth_soft=Amount("32MiB"),
            child_growth_hard=Amount("64MiB"),
        )
        settings = Settings(memory=memory, backup=Backup(path=str(folder)))
        self._pid: int | None = None
        around = Surroundings(lambda: self._pid, lambda: settings)
        self.sense = Sense(Sampler(around, Gpus(lambda: None)), lambda: settings)
        self.sense.look()  # before there is an engine, so that its baselines are measured
        self._pid = find()

    def settle(self) -> Child:
        """Look until the one child has its baseline."""
        for _ in range(50):
            child = self.look()
            assert self.sense.view is not None
            if child.identity in self.sense.view.baselines.known:
                return child
        raise AssertionError("the child has no baseline")

    def look(self, times: int = 1) -> Child:
        for _ in range(times):
            sample, _ = self.sense.look()
        assert sample.engine is not None
        (child,) = sample.engine.children
        return child

    def growth(self, child: Child) -> int:
        assert self.sense.view is not None
        growth = self.sense.view.baselines.growth(child.identity, child.held_bytes)
        assert growth is not None
        return growth

    @property
    def level(self) -> str:
        assert self.sense.view is not None
        return self.sense.view.verdict.level


def test_a_leak_of_anonymous_memory_is_seen(tmp_path: Path) -> None:
    with RealEngine(tmp_path) as engine:
        watched = Watched(lambda: engine.pid, tmp_path)
        watched.settle()
        engine.tell(f"leak {SIZE}")
        assert abs(watched.growth(watched.look(2)) - SIZE * MIB) < NOISE
        assert watched.level == "hard"


def test_its_twin_whose_page_cache_and_mmapped_weights_double_is_left_alone(tmp_path: Path) -> None:
    with RealEngine(tmp_path) as engine:
        watched = Watched(lambda: engine.pid, tmp_path)
        engine.tell(f"map {SIZE} {tmp_path / 'weights-1'}")
        before = watched.settle()
        engine.tell(f"map {SIZE} {tmp_path / 'weights-2'}")
        after = watched.look(5)
        assert after.rss_file_bytes - before.rss_file_bytes > (SIZE - 1) * MIB
        assert watched.growth(after) < NOISE
        assert watched.level == "ok"


def test_the_children_of_an_engine_have_the_names_of_their_models(tmp_path: Path) -> None:
    env = {"IA0_ENGINE_FAULT_LEAK_MB_PER_REQUEST": str(SIZE)}
    with EngineProcess(tmp_path, env=env) as engine:
        watched = Watched(Listener(lambda: engine.port, lambda: 0.0), tmp_path)
        ask = {"model": MODEL, "prompt": "a", "stream": False, "options": {"num_predict": 1, "num_ctx": 256}}
        engine.post("/api/generate", {"model": MODEL, "options": {"num_ctx": 256}})
        child = watched.settle()
        assert (child.tag, child.digest, child.loaded) == (MODEL, WEIGHTS_DIGEST, True)
        assert child.pid in [each.pid for each in engine.children()]
        assert engine.post("/api/generate", ask)[0] == 200
        assert watched.growth(watched.look(2)) > 64 * MIB
        assert watched.level == "hard"


def test_a_listener_that_ended_is_no_engine(tmp_path: Path) -> None:
    now = [0.0]
    with EngineProcess(tmp_path, models=()) as engine:
        find = Listener(lambda: engine.port, lambda: now[0])
        assert find() == engine.pid
        engine.stop()
        assert find() is None
        now[0] = 1000.0
        engine.start()
        assert find() == engine.pid


def test_who_listens_elsewhere_after_a_reload_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        EngineProcess(tmp_path / "a", models=()) as first,
        EngineProcess(tmp_path / "b", models=()) as second,
    ):
        port = [first.port]
        find = Listener(lambda: port[0], lambda: 0.0)
        assert find() == first.pid
        port[0] = second.port
        assert find() == second.pid


def test_a_look_costs_what_was_promised(tmp_path: Path) -> None:
    """One parent with three children: this process and three engines below it."""
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(RealEngine(tmp_path))
        cost = measure(os.getpid(), looks=50)
    assert cost.children >= 3  # other tests of the same run may have engines of their own
    assert cost.percent_of_a_core(float(Memory().sample_interval_s)) < PROMISED_PERCENT
