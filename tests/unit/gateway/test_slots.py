"""A slot goes to whom it belongs, comes back once, and nobody waits for nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from ia0_daemon.errors import CallerGone, Overloaded, ServiceError
from ia0_daemon.gateway.slots import Place, Slots, Totals

LIMIT_S = 30


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Looks:
    """A word that the waiting request asks for, and how often it was asked."""

    def __init__(self) -> None:
        self.says = False
        self._asked = threading.Semaphore(0)

    def __call__(self) -> bool:
        self._asked.release()
        return self.says

    def wait_for(self, number: int) -> None:
        """Wait until it was asked so often from now on."""
        while self._asked.acquire(blocking=False):
            pass
        for _ in range(number):
            assert self._asked.acquire(timeout=LIMIT_S)


def place(key: str = "a", model: str = "m", slots: int = 1, max_queue: int = 200) -> Place:
    return Place(model, key, slots, max_queue, timeout_s=60)


def until(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(LIMIT_S * 100):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError(f"it did not come to that within {LIMIT_S} s")


class Crowd:
    """Requests on threads of their own, each of which holds its slot until it is told to end."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.served: list[str] = []
        self._pool = ThreadPoolExecutor(200)
        self._ends: dict[str, threading.Event] = {}

    def come(
        self,
        name: str,
        wanted: Place,
        gone: Callable[[], bool] = bool,
        held: Callable[[], bool] = bool,
    ) -> Future[float]:
        """Have a request come, and wait until it holds a slot or waits for one."""
        before = self._seen(wanted.model)
        self._ends[name] = threading.Event()
        future = self._pool.submit(self._ask, name, wanted, gone, held)
        until(lambda: self._seen(wanted.model) > before or future.done())
        return future

    def end(self, name: str) -> None:
        """End a request, and wait until whoever gets its slot has it."""
        number = len(self.served)
        gets_it = self.slots.waiting("m") > 0
        self._ends[name].set()
        until(lambda: len(self.served) > number or not gets_it)

    def close(self) -> None:
        for end in self._ends.values():
            end.set()
        self._pool.shutdown()

    def _ask(self, name: str, wanted: Place, gone: Callable[[], bool], held: Callable[[], bool]) -> float:
        with ExitStack() as resources:
            waited_s = self.slots.take(resources, wanted, gone, held)
            self.served.append(name)
            assert self._ends[name].wait(LIMIT_S)
        return waited_s

    def _seen(self, model: str) -> int:
        return self.slots.totals(model).waited + self.slots.totals(model).taken


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slots(clock: Clock) -> Slots:
    return Slots(clock)


@pytest.fixture
def crowd(slots: Slots) -> Iterator[Crowd]:
    crowd = Crowd(slots)
    yield crowd
    crowd.close()
    assert (slots.busy("m"), slots.waiting("m")) == (0, 0)


def test_a_free_slot_costs_no_wait_and_is_held_until_the_request_ends(slots: Slots) -> None:
    with ExitStack() as resources:
        assert slots.take(resources, place(), bool, bool) == 0.0
        assert (slots.busy("m"), slots.busy("other"), slots.waiting("m")) == (1, 0, 0)
    assert slots.busy("m") == 0


def test_who_waits_is_served_in_order_and_told_for_how_long(crowd: Crowd, clock: Clock) -> None:
    futures = [crowd.come(name, place()) for name in ("first", "second", "third")]
    clock.now += 5
    crowd.end("first")
    clock.now += 2
    crowd.end("second")
    crowd.end("third")
    assert crowd.served == ["first", "second", "third"]
    assert [future.result(LIMIT_S) for future in futures] == [0.0, 5.0, 7.0]


def test_a_hundred_of_one_key_do_not_starve_the_one_of_another(crowd: Crowd) -> None:
    for number in range(101):
        crowd.come(f"a{number}", place("a"))
    crowd.come("b0", place("b"))
    assert crowd.slots.waiting("m") == 101
    crowd.end("a0")
    assert crowd.served == ["a0", "b0"]


def test_a_slot_that_comes_back_is_given_to_one_alone(crowd: Crowd) -> None:
    for number in range(10):
        crowd.come(str(number), place())
    crowd.end("0")
    assert (crowd.slots.busy("m"), crowd.slots.waiting("m"), len(crowd.served)) == (1, 8, 2)


def test_models_do_not_wait_for_each_other(crowd: Crowd) -> None:
    crowd.come("one", place())
    crowd.come("two", place())
    with ExitStack() as resources:
        assert crowd.slots.take(resources, place(model="other"), bool, bool) == 0.0


def test_a_full_queue_refuses_with_the_time_that_was_measured(crowd: Crowd, clock: Clock) -> None:
    crowd.come("measured", place())
    clock.now += 10
    crowd.end("measured")
    crowd.come("holds", place())
    crowd.come("waits", place())
    with pytest.raises(Overloaded, match=r"1 requests wait for m; admission\.max_queue") as refusal:
        crowd.slots.take(ExitStack(), place(max_queue=1), bool, bool)
    assert refusal.value.retry_after_s == 20
    told = {"model": "m", "waiting": 1, "slots": 1, "setting": "admission.max_queue"}
    assert refusal.value.details == told
    assert crowd.slots.totals("m").refused == 1


def test_without_a_queue_a_busy_model_refuses_at_once(slots: Slots) -> None:
    with ExitStack() as first:
        slots.take(first, place(max_queue=0), bool, bool)
        with pytest.raises(Overloaded) as refusal:
            slots.take(ExitStack(), place(max_queue=0), bool, bool)
        assert refusal.value.retry_after_s == 1


def test_nobody_waits_beyond_the_deadline(crowd: Crowd, clock: Clock) -> None:
    crowd.come("holds", place())
    future = crowd.come("waits", place())
    clock.now += 61
    error = future.exception(LIMIT_S)
    assert isinstance(error, Overloaded)
    assert error.details["setting"] == "admission.queue_timeout_s"
    assert (crowd.slots.waiting("m"), crowd.slots.totals("m").timed_out) == (0, 1)


def test_a_restart_does_not_count_against_the_deadline(crowd: Crowd, clock: Clock) -> None:
    restarting = Looks()
    restarting.says = True
    crowd.come("holds", place())
    future = crowd.come("waits", place(), held=restarting)
    clock.now += 10_000
    restarting.wait_for(2)
    restarting.says = False
    restarting.wait_for(2)
    clock.now += 59
    restarting.wait_for(2)
    crowd.end("holds")
    crowd.end("waits")
    assert future.result(LIMIT_S) == 10_059


def test_after_a_restart_the_deadline_goes_on(crowd: Crowd, clock: Clock) -> None:
    restarting = Looks()
    crowd.come("holds", place())
    future = crowd.come("waits", place(), held=restarting)
    clock.now += 40
    restarting.wait_for(2)
    restarting.says = True
    restarting.wait_for(2)
    clock.now += 1000
    restarting.wait_for(2)
    restarting.says = False
    restarting.wait_for(2)
    clock.now += 21
    assert isinstance(future.exception(LIMIT_S), Overloaded)


def test_a_caller_who_hangs_up_leaves_the_queue_and_gets_no_slot(crowd: Crowd) -> None:
    gone = Looks()
    crowd.come("holds", place())
    future = crowd.come("leaves", place(), gone)
    crowd.come("stays", place())
    gone.says = True
    assert isinstance(future.exception(LIMIT_S), CallerGone)
    assert crowd.slots.waiting("m") == 1
    crowd.end("holds")
    assert crowd.served == ["holds", "stays"]
    assert crowd.slots.totals("m") == Totals(taken=2, waited=2, gone=1)


def test_a_look_that_fails_leaves_no_place_behind_even_before_the_request_ends(slots: Slots) -> None:
    def broken() -> bool:
        raise ZeroDivisionError

    with ExitStack() as holds, ExitStack() as fails:
        slots.take(holds, place(), bool, bool)
        with pytest.raises(ZeroDivisionError):
            slots.take(fails, place(), broken, bool)
        assert (slots.waiting("m"), slots.busy("m")) == (0, 1)
    assert slots.busy("m") == 0


def test_a_slot_that_comes_as_the_caller_hangs_up_is_not_lost(slots: Slots) -> None:
    holds = ExitStack()

    def gone() -> bool:
        holds.close()
        return True

    slots.take(holds, place(), bool, bool)
    with ExitStack() as resources:
        slots.take(resources, place(), gone, bool)
        assert (slots.waiting("m"), slots.busy("m")) == (0, 1)
    assert slots.totals("m") == Totals(taken=2, waited=1)
    assert slots.busy("m") == 0


def test_a_slot_that_comes_at_the_deadline_is_taken(slots: Slots, clock: Clock) -> None:
    holds = ExitStack()

    def gone() -> bool:
        clock.now += 61
        holds.close()
        return False

    slots.take(holds, place(), bool, bool)
    with ExitStack() as resources:
        assert slots.take(resources, place(), gone, bool) == 61
    assert slots.totals("m") == Totals(taken=2, waited=1)


class Twice(ExitStack):
    """Calls each callback twice."""

    def callback(self, *args: Any, **kwargs: Any) -> Any:
        super().callback(*args, **kwargs)
        return super().callback(*args, **kwargs)


def test_a_slot_that_is_given_back_twice_comes_back_once(slots: Slots) -> None:
    with ExitStack() as other:
        slots.take(other, place(slots=2), bool, bool)
        with Twice() as resources:
            slots.take(resources, place(slots=2), bool, bool)
        assert slots.busy("m") == 1


def test_a_slot_comes_back_once_however_its_request_ends(slots: Slots) -> None:
    first, others = ExitStack(), ExitStack()
    slots.take(first, place(slots=2), bool, bool)
    slots.take(others, place(slots=2), bool, bool)
    moved = first.pop_all()
    first.close()
    assert slots.busy("m") == 2
    moved.close()
    moved.close()
    assert slots.busy("m") == 1
    others.close()


def test_slots_that_a_reload_adds_let_those_in_who_wait(crowd: Crowd) -> None:
    for name in ("first", "second", "third"):
        crowd.come(name, place())
    crowd.slots.limit({"m": 2, "not asked yet": 8})
    until(lambda: crowd.served == ["first", "second"])
    crowd.come("fourth", place(slots=3))
    until(lambda: crowd.served == ["first", "second", "third"])
    assert (crowd.slots.busy("m"), crowd.slots.waiting("m")) == (3, 1)


def test_slots_that_a_reload_takes_away_are_not_given_again(crowd: Crowd) -> None:
    for name in ("first", "second", "third"):
        crowd.come(name, place(slots=2))
    crowd.slots.limit({"m": 1})
    crowd._ends["first"].set()
    until(lambda: crowd.slots.busy("m") == 1)
    assert crowd.slots.waiting("m") == 1
    crowd.end("second")
    assert crowd.served == ["first", "second", "third"]


def test_under_many_threads_no_slot_is_lost_and_none_is_given_twice() -> None:
    """Some hang up, some find the queue full, some are too late; the rest holds one of three slots."""
    slots, lock, inside, most = Slots(), threading.Lock(), 0, 0

    def ask(number: int) -> str:
        nonlocal inside, most
        chance = random.Random(number)
        wanted = Place("m", f"key{number % 5}", 3, 12, timeout_s=chance.choice([0.001, 60]))
        calls = iter([False] * chance.randrange(3) + [True]) if number % 7 == 0 else None
        try:
            with ExitStack() as resources:
                slots.take(resources, wanted, lambda: calls is not None and next(calls, True), bool)
                with lock:
                    inside += 1
                    most = max(most, inside)
                threading.Event().wait(0.0005)
                with lock:
                    inside -= 1
        except ServiceError as error:
            return error.code
        return "served"

    with ThreadPoolExecutor(24) as pool:
        ends = list(pool.map(ask, range(2000)))
    totals = slots.totals("m")
    assert (slots.busy("m"), slots.waiting("m"), inside) == (0, 0, 0)
    assert most == 3
    assert totals.taken == ends.count("served")
    assert totals.refused + totals.timed_out == ends.count("OVERLOADED")
    assert totals.gone == ends.count("CALLER_GONE")
    assert totals.refused
    assert totals.timed_out
