"""Slots, the queue, loading one after another, eviction, and callers who leave."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

import pytest

from tests.conformance.client import Answer
from tests.conformance.conftest import Starter
from tests.conformance.target import Target, argument, cpu_seconds, wait_until
from tests.conformance.weights import create_second_model

sentence = pytest.mark.sentence
needs = pytest.mark.needs

BUSY = "server busy, please try again.  maximum pending requests exceeded"
SHORT = {"num_predict": 2, "temperature": 0}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=12) as executor:
        yield executor


@sentence("scheduler.queue-is-full", "errors.busy", "errors.shape", "standin.4-queue")
@needs("start")
def test_one_request_more_than_the_queue_holds_is_503_at_once(
    start_engine: Starter, pool: ThreadPoolExecutor
) -> None:
    engine = start_engine(OLLAMA_MAX_QUEUE="1", IA0_ENGINE_FAULT_SLOW_LOAD_S="2")
    asked: list[Future[Answer]] = [pool.submit(engine.generate, options=SHORT) for _ in range(6)]
    first = wait(asked, return_when=FIRST_COMPLETED).done.pop().result()
    assert (first.status, first.error()) == (503, BUSY)
    answers = [future.result() for future in asked]
    assert {answer.status for answer in answers} == {200, 503}
    # One is queued for sure; a second only if the scheduler takes the first before all have come.
    assert sum(answer.status == 200 for answer in answers) >= 1


@sentence("scheduler.loaded-model-has-no-queue", "standin.4-queue")
@needs("start")
def test_a_loaded_model_takes_more_requests_than_the_queue_holds(
    start_engine: Starter, pool: ThreadPoolExecutor
) -> None:
    engine = start_engine(OLLAMA_MAX_QUEUE="1")
    engine.load()
    asked = [pool.submit(engine.generate, options=SHORT) for _ in range(8)]
    assert [future.result().status for future in asked] == [200] * 8


@sentence("scheduler.slots")
def test_a_caller_who_hangs_up_frees_the_slot(engine: Target) -> None:
    for _ in range(2):
        with engine.client.open("/api/generate", engine.endless()) as stream:
            assert len(stream.take(3)) == 3
    assert engine.generate(options=SHORT).status == 200


@sentence("scheduler.slots", "environment.num-parallel")
@needs("process")
def test_with_one_slot_the_second_answer_waits_for_the_first(
    engine: Target, pool: ThreadPoolExecutor
) -> None:
    engine.load()
    with engine.client.open("/api/generate", engine.endless()) as stream:
        stream.take(3)
        second = pool.submit(engine.generate, options=SHORT)
        stream.take(20)
        assert not second.done()
    assert second.result().status == 200


@sentence("scheduler.slots", "environment.num-parallel", "process.context-times-slots", "shift.slots-divide")
@needs("start")
def test_two_slots_answer_side_by_side_with_the_whole_context_each(start_engine: Starter) -> None:
    engine = start_engine(OLLAMA_NUM_PARALLEL="2", OLLAMA_CONTEXT_LENGTH="512")
    engine.load()
    (runner,) = engine.runners()
    assert (argument(runner.cmdline(), "-c"), argument(runner.cmdline(), "-np")) == ("1024", "2")
    prompt = " ".join(f"word{number % 10}" for number in range(200))
    whole = engine.generate(prompt, raw=True, options=SHORT).json()
    assert 256 < whole["prompt_eval_count"] < 512, "not cut, though each slot had half of 512 otherwise"
    with ExitStack() as stack:
        streams = [
            stack.enter_context(engine.client.open("/api/generate", engine.endless())) for _ in range(2)
        ]
        assert [len(stream.take(3)) for stream in streams] == [3, 3]


@sentence("scheduler.one-load-at-a-time")
@needs("start")
def test_while_one_model_loads_only_loaded_ones_answer(
    start_engine: Starter, pool: ThreadPoolExecutor
) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_SLOW_LOAD_S="1")
    for letter in "XY":
        create_second_model(engine.client, f"other-{letter.lower()}", letter)
    engine.load(keep_alive=-1)
    others = [pool.submit(_load, engine, f"other-{letter}") for letter in "xy"]
    here = engine.generate(options=SHORT).json()
    durations = sorted(future.result() for future in others)
    assert here["load_duration"] < durations[0], "the loaded one did not wait"
    assert durations[0] >= 0.9e9
    assert durations[1] >= 1.9e9, "the second waited for the first"


def _load(engine: Target, model: str) -> int:
    body = {"model": model, "prompt": "Hi", "options": SHORT}
    duration = engine.client.post("/api/generate", body).json()["load_duration"]
    assert isinstance(duration, int)
    return duration


@sentence("scheduler.ping")
@needs("process")
def test_a_stopped_child_is_replaced(engine: Target) -> None:
    engine.load()
    (stopped,) = engine.runners()
    stopped.send_signal(signal.SIGSTOP)
    assert engine.generate(options=SHORT).status == 200
    assert stopped.pid not in {child.pid for child in engine.runners()}


@sentence("scheduler.eviction", "environment.max-loaded-models", "endpoints.ps-order")
@needs("start")
def test_the_idle_model_with_the_shortest_keep_alive_goes_first(start_engine: Starter) -> None:
    engine = start_engine(OLLAMA_MAX_LOADED_MODELS="2")
    for letter in "XY":
        create_second_model(engine.client, f"other-{letter.lower()}:1", letter)
    engine.load(keep_alive="10m")
    engine.load("other-x:1", keep_alive="2h")
    assert _loaded_names(engine) == ["other-x:1", engine.model]
    engine.load("other-y:1", keep_alive="1h")
    assert _loaded_names(engine) == ["other-x:1", "other-y:1"]
    assert len(engine.runners()) == 2


def _loaded_names(engine: Target) -> list[str]:
    return [entry["name"] for entry in engine.client.get("/api/ps")["models"]]


@sentence("scheduler.cancelled-while-queued")
@needs("start")
def test_who_leaves_while_queued_is_passed_over(start_engine: Starter, pool: ThreadPoolExecutor) -> None:
    engine = start_engine(IA0_ENGINE_FAULT_SLOW_LOAD_S="1")
    first = pool.submit(engine.generate, options=SHORT)
    wait_until(engine.runners, "the first request loads the model")
    with engine.client.ask_and_leave("/api/generate", engine.endless()):
        third = pool.submit(engine.generate, options=SHORT)
    assert (first.result().status, third.result().status) == (200, 200)


@sentence("scheduler.slots")
@needs("process")
def test_who_leaves_while_the_prompt_is_read_stops_the_reading(engine: Target) -> None:
    engine.load()
    (runner,) = engine.runners()
    begin = cpu_seconds(runner)
    engine.generate(_long_prompt("first"), raw=True, options=SHORT)
    whole = cpu_seconds(runner) - begin
    begin = cpu_seconds(runner)
    with engine.client.ask_and_leave(
        "/api/generate", engine.endless(prompt=_long_prompt("second"), raw=True)
    ):
        wait_until(lambda: cpu_seconds(runner) > begin + 0.05 * whole, "the prompt is being read")
    assert engine.generate(options=SHORT).status == 200
    assert cpu_seconds(runner) - begin < 0.7 * whole


def _long_prompt(start: str) -> str:
    """Some 2,000 tokens, in four batches, which no cache knows unless it had the same start."""
    return " ".join(f"{start}{number % 10}" for number in range(1000))
