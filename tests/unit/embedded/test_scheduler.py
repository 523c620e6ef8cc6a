"""The scheduler with runners that only remember what happened to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.durations import FOREVER
from ia0_daemon.embedded.failures import MAX_QUEUE_TEXT, Cancelled, EngineFailure, StatusFailure
from ia0_daemon.embedded.launch import Launch
from ia0_daemon.embedded.loaded import Limits
from ia0_daemon.embedded.models import Model
from ia0_daemon.embedded.options import Options
from ia0_daemon.embedded.scheduler import Scheduler


@dataclass
class FakeModel:
    path: Path
    short_name: str


@dataclass
class FakeRunner:
    launch: Launch
    ready: threading.Event
    failure: EngineFailure | None = None
    is_alive: bool = True
    closed: threading.Event = field(default_factory=threading.Event)

    def wait_until_running(self, context: Context, timeout: float) -> None:
        with context.on_cancel(self.ready.set):
            assert self.ready.wait(10)
        context.check()
        if self.failure:
            raise self.failure

    def answers(self) -> bool:
        return self.is_alive

    def close(self) -> None:
        self.closed.set()


class World:
    """A scheduler and the runners that it started."""

    def __init__(self, max_loaded: int = 2, max_queue: int = 8, keep_alive: float = 300) -> None:
        self.started: list[FakeRunner] = []
        self.loads_at_once = True
        self.failure: EngineFailure | None = None
        self.pool = ThreadPoolExecutor(16)
        limits = Limits(max_loaded, max_queue, keep_alive, load_timeout=10)
        self.scheduler: Scheduler[FakeRunner] = Scheduler(limits, self._start)

    def _start(self, launch: Launch) -> FakeRunner:
        runner = FakeRunner(launch, threading.Event(), self.failure)
        if self.loads_at_once:
            runner.ready.set()
        self.started.append(runner)
        return runner

    def use(self, name: str = "a", keep_alive: float | None = None, **changes: Any) -> FakeRunner:
        with self.scheduler.acquire(Context(), launch(name, **changes), keep_alive) as runner:
            return runner

    def begin(
        self, name: str, context: Context | None = None, keep_alive: float | None = None, **changes: Any
    ) -> Future[FakeRunner]:
        def run() -> FakeRunner:
            with self.scheduler.acquire(context or Context(), launch(name, **changes), keep_alive) as runner:
                return runner

        return self.pool.submit(run)

    def stands_in_the_way(self, name: str) -> bool:
        return [item.has_to_go for item in self.scheduler.loaded()] == [True] and self.names() == [name]

    def names(self) -> list[str]:
        return [item.launch.model.short_name for item in self.scheduler.loaded()]


def launch(name: str, shift: bool = True, embedding: bool = False, **options: Any) -> Launch:
    model = cast(Model, FakeModel(Path("/" + name), name))
    changed = replace(Options(), **options)
    return Launch(model, changed, shift=shift, embedding=embedding)


def wait_until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.pool.shutdown(wait=False, cancel_futures=True)


def test_a_model_is_loaded_once_for_all_who_ask_alike(world: World) -> None:
    assert world.use("a") is world.use("a", temperature=0.1)
    assert len(world.started) == 1


@pytest.mark.parametrize(
    "changes", [{"num_ctx": 8}, {"use_mmap": False}, {"shift": False}, {"embedding": True}]
)
def test_a_change_that_a_running_child_cannot_make_loads_again(world: World, changes: dict[str, Any]) -> None:
    first = world.use("a")
    second = world.use("a", **changes)
    assert second is not first
    assert first.closed.is_set()


def test_a_child_that_does_not_answer_is_replaced(world: World) -> None:
    first = world.use("a")
    first.is_alive = False
    assert world.use("a") is not first


def test_a_failed_load_is_told_and_the_next_one_is_tried(world: World) -> None:
    world.failure = EngineFailure("llama-server process has terminated: exit status 1")
    with pytest.raises(EngineFailure, match="has terminated"):
        world.use("a")
    world.failure = None
    assert world.use("a") is world.started[1]


def test_a_full_queue_refuses_at_once() -> None:
    world = World(max_queue=1)
    world.loads_at_once = False
    loading = world.begin("a")
    wait_until(lambda: world.started)
    queued = world.begin("b")
    wait_until(lambda: queued.running() and _refuses(world, "c"))
    for runner in world.started:
        runner.ready.set()
    world.loads_at_once = True
    assert loading.result(10) is world.started[0]


def _refuses(world: World, name: str) -> bool:
    """Whether a request is refused; one that is not leaves again."""
    context = Context()
    asked = world.begin(name, context)
    failure = _failure(asked, context)
    return isinstance(failure, StatusFailure) and (failure.status, str(failure)) == (503, MAX_QUEUE_TEXT)


def _failure(asked: Future[FakeRunner], context: Context) -> BaseException | None:
    try:
        return asked.exception(0.05)
    except TimeoutError:
        context.cancel()
        return asked.exception(10)


def test_a_loaded_model_is_not_held_up_by_another_load(world: World) -> None:
    loaded = world.use("a")
    world.loads_at_once = False
    loading = world.begin("b")
    wait_until(lambda: len(world.started) == 2)
    assert world.use("a") is loaded
    assert not loading.done()
    world.started[1].ready.set()
    assert loading.result(10) is world.started[1]


def test_one_load_at_a_time_in_the_order_of_asking(world: World) -> None:
    world.loads_at_once = False
    first = world.begin("a")
    wait_until(lambda: world.started)
    second = world.begin("b")
    assert len(world.started) == 1
    world.started[0].ready.set()
    first.result(10)
    wait_until(lambda: len(world.started) == 2)
    world.started[1].ready.set()
    second.result(10)


def test_a_caller_who_hangs_up_ends_the_load_and_those_behind_are_served(world: World) -> None:
    world.loads_at_once = False
    context = Context()
    gone = world.begin("a", context)
    wait_until(lambda: world.started)
    world.loads_at_once = True
    behind = world.begin("b")
    context.cancel()
    with pytest.raises(Cancelled):
        gone.result(10)
    assert behind.result(10).launch.model.short_name == "b"
    assert world.names() == ["b"]


def test_who_hangs_up_in_the_queue_is_passed_over(world: World) -> None:
    world.loads_at_once = False
    loading, context = world.begin("a"), Context()
    wait_until(lambda: world.started)
    queued = world.begin("b", context)
    context.cancel()
    with pytest.raises(Cancelled):
        queued.result(10)
    world.loads_at_once = True
    world.started[0].ready.set()
    loading.result(10)
    world.use("c")
    assert set(world.names()) == {"a", "c"}


def test_the_idle_model_with_the_shortest_keep_alive_makes_room(world: World) -> None:
    world.use("long", keep_alive=FOREVER)
    short = world.use("short", keep_alive=600)
    world.use("third")
    assert short.closed.is_set()
    assert set(world.names()) == {"long", "third"}


def test_a_model_in_use_makes_room_only_afterwards() -> None:
    world = World(max_loaded=1)
    with world.scheduler.acquire(Context(), launch("a"), None) as in_use:
        other = world.begin("b")
        wait_until(lambda: in_use.launch.model.short_name == "a" and not other.done())
        assert not in_use.closed.is_set()
    assert other.result(10).launch.model.short_name == "b"
    assert in_use.closed.is_set()


@pytest.mark.parametrize("wanted", [{"embedding": True}, {"num_ctx": 8}])
def test_a_model_that_has_to_go_is_not_kept_by_who_asks_for_it_meanwhile(
    world: World, wanted: dict[str, Any]
) -> None:
    with world.scheduler.acquire(Context(), launch("a"), 300.0) as first:
        other = world.begin("a", keep_alive=300.0, **wanted)
        wait_until(lambda: world.stands_in_the_way("a"))
        meanwhile = world.begin("a", keep_alive=300.0)
        assert not _is_served(meanwhile)
    assert other.result(10) is world.started[1]
    assert meanwhile.result(10) is world.started[2]
    assert first.closed.is_set()


def test_a_busy_model_is_not_kept_in_another_models_place() -> None:
    world = World(max_loaded=1)
    with world.scheduler.acquire(Context(), launch("a"), 300.0):
        other = world.begin("b")
        wait_until(lambda: world.stands_in_the_way("a"))
        meanwhile = world.begin("a", keep_alive=300.0)
        assert not _is_served(meanwhile)
    assert other.result(10).launch.model.short_name == "b"
    assert meanwhile.result(10).launch.model.short_name == "a"


def test_callers_of_two_kinds_without_a_pause_all_have_their_turns(world: World) -> None:
    def call(embedding: bool) -> int:
        return len([world.use("a", keep_alive=300.0, embedding=embedding) for _ in range(20)])

    callers = [world.pool.submit(call, number % 2 == 0) for number in range(8)]
    assert [caller.result(30) for caller in callers] == [20] * 8


def test_a_model_stays_where_who_waited_for_its_place_has_left(world: World) -> None:
    context = Context()
    with world.scheduler.acquire(Context(), launch("a"), 300.0) as in_use:
        gone = world.begin("a", context, embedding=True)
        wait_until(lambda: world.stands_in_the_way("a"))
        behind = world.begin("a", keep_alive=300.0)
        context.cancel()
        assert behind.result(10) is in_use
        with pytest.raises(Cancelled):
            gone.result(10)
    assert world.use("a") is in_use


def _is_served(asked: Future[FakeRunner]) -> bool:
    """Whether a request is answered though nothing else happens; 0.1 s is long for a loaded model."""
    return bool(wait([asked], 0.1).done)


def test_keep_alive_zero_unloads_after_the_request(world: World) -> None:
    runner = world.use("a", keep_alive=0)
    assert runner.closed.wait(10)
    wait_until(lambda: world.names() == [])


def test_a_keep_alive_that_runs_out_unloads(world: World) -> None:
    runner = world.use("a", keep_alive=0.05)
    assert runner.closed.wait(10)


def test_a_request_keeps_its_model_while_it_lasts(world: World) -> None:
    with world.scheduler.acquire(Context(), launch("a"), 0.0) as runner:
        world.scheduler.expire(Path("/a"))
        assert not runner.closed.is_set()
    assert runner.closed.wait(10)


def test_expire_unloads_an_idle_model(world: World) -> None:
    runner = world.use("a")
    world.scheduler.expire(Path("/a"))
    assert runner.closed.wait(10)


def test_the_one_that_stays_longest_is_listed_first(world: World) -> None:
    world.use("short", keep_alive=10)
    world.use("for ever", keep_alive=FOREVER)
    assert world.names() == ["for ever", "short"]
    assert world.scheduler.loaded()[0].expires(time.time()) == FOREVER


def test_closing_ends_every_child(world: World) -> None:
    runners = [world.use("a"), world.use("b")]
    world.scheduler.close()
    assert all(runner.closed.is_set() for runner in runners)


def test_after_closing_no_child_is_started(world: World) -> None:
    world.scheduler.close()
    with pytest.raises(Cancelled):
        world.use("a")
    assert world.started == []


def test_a_load_can_be_held_up_before_it_starts_anything() -> None:
    world, held = World(), threading.Event()
    limits = Limits(max_loaded=1, max_queue=1, keep_alive=1, load_timeout=1)
    scheduler = Scheduler(limits, world._start, lambda: held.wait(10))
    context = Context()
    threading.Timer(0.02, context.cancel).start()
    with pytest.raises(Cancelled), scheduler.acquire(context, launch("a"), None):
        pass
    assert world.started == []
    assert scheduler.loaded() == []
    held.set()
