"""Options that take effect, keep_alive, and which changes load the model anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.target import Target, wait_until

sentence = pytest.mark.sentence

PROMPT = "Write a sentence about the sea."
# Loading reads a file and starts a process; not loading compares a few numbers.
RELOAD_TAKES_NS = 20_000_000


def text(engine: Target, **options: Any) -> str:
    whole = engine.generate(PROMPT, options={"num_predict": 16, **options}).json()
    response = whole["response"]
    assert isinstance(response, str)
    return response


def lifetime(engine: Target) -> timedelta:
    """How long the loaded model is to stay."""
    loaded = engine.loaded()
    assert loaded is not None
    return datetime.fromisoformat(loaded["expires_at"]) - datetime.now(UTC)


@sentence("options.take-effect")
def test_temperature_zero_gives_the_same_text_again(engine: Target) -> None:
    assert text(engine, temperature=0) == text(engine, temperature=0)


@sentence("options.take-effect")
def test_a_seed_gives_the_same_text_again_and_another_seed_another(engine: Target) -> None:
    texts = [text(engine, temperature=1.5, seed=seed, top_k=0, top_p=1) for seed in (7, 7, 8, 9)]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


@sentence("options.take-effect")
@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 0.0001}])
def test_top_k_and_top_p_narrow_the_choice_to_the_likeliest(engine: Target, narrow: dict[str, Any]) -> None:
    assert text(engine, temperature=1.0, seed=3, **narrow) == text(engine, temperature=0)


@sentence("options.take-effect")
def test_num_predict_bounds_the_answer(engine: Target) -> None:
    whole = engine.generate(PROMPT, options={"num_predict": 5, "temperature": 0}).json()
    assert (whole["eval_count"], whole["done_reason"]) == (5, "length")


@sentence("options.take-effect")
def test_a_stop_ends_the_answer_before_it(engine: Target) -> None:
    whole = text(engine, temperature=0)
    word = whole.split()[3]
    answer = engine.generate(PROMPT, options={"temperature": 0, "stop": [word]}).json()
    assert word not in answer["response"]
    assert whole.startswith(answer["response"])
    assert answer["done_reason"] == "stop"


@sentence("options.take-effect", "scheduler.reload-on-options")
def test_num_ctx_is_the_context(engine: Target) -> None:
    engine.load(options={"num_ctx": 768})
    loaded = engine.loaded()
    assert loaded is not None
    assert loaded["context_length"] == 768


CHANGES = [
    {"options": {"num_ctx": 1024}},
    {"options": {"num_batch": 256}},
    {"options": {"num_gpu": 0}},
    {"options": {"main_gpu": 0}},
    {"options": {"use_mmap": False}},
    {"options": {"num_thread": 1}},
    {"options": {"draft_num_predict": 3}},
    {"shift": False},
]


@sentence("scheduler.reload-on-options", "shift.change-reloads", "standin.5-reload")
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_of_what_the_runner_was_started_with_loads_anew(
    engine: Target, change: dict[str, Any]
) -> None:
    engine.load()
    before = engine.incarnation()
    fields = {"options": {"num_predict": 1, **change.get("options", {})}}
    answer = engine.generate(PROMPT, **{**change, **fields}).json()
    assert answer["load_duration"] > RELOAD_TAKES_NS
    assert engine.incarnation() != before or before is None


@sentence("scheduler.no-reload-on-sampling", "standin.5-reload")
@pytest.mark.parametrize(
    "options",
    [{"temperature": 0.1}, {"top_k": 3, "top_p": 0.5}, {"seed": 4}, {"stop": ["x"]}, {"num_predict": 2}],
    ids=str,
)
def test_other_options_leave_it_loaded(engine: Target, options: dict[str, Any]) -> None:
    engine.load()
    before = engine.incarnation()
    answer = engine.generate(PROMPT, options={"num_predict": 1, **options})
    assert answer.status == 200
    assert engine.incarnation() == before
    if before is None:
        assert answer.json()["load_duration"] < RELOAD_TAKES_NS


@sentence("start.first-request-loads", "standin.5-reload", "standin.11-keep-alive")
def test_the_first_request_pays_for_loading(engine: Target) -> None:
    engine.unload()
    first = engine.generate(PROMPT, options={"num_predict": 1}).json()
    second = engine.generate(PROMPT, options={"num_predict": 1}).json()
    assert first["load_duration"] > RELOAD_TAKES_NS
    assert second["load_duration"] < first["load_duration"]


@sentence("keep_alive.seconds", "keep_alive.request-wins")
def test_a_number_is_seconds(engine: Target) -> None:
    engine.load(keep_alive=1200)
    assert timedelta(seconds=1100) < lifetime(engine) <= timedelta(seconds=1205)


@sentence("keep_alive.duration", "keep_alive.request-wins")
def test_a_text_is_a_go_duration(engine: Target) -> None:
    engine.load(keep_alive="1h30m")
    assert timedelta(minutes=89) < lifetime(engine) <= timedelta(minutes=91)


@sentence("keep_alive.negative")
@pytest.mark.parametrize("forever", [-1, "-1m"])
def test_a_negative_one_is_for_ever(engine: Target, forever: int | str) -> None:
    engine.load(keep_alive=forever)
    assert lifetime(engine) > timedelta(days=365 * 100)


@sentence("keep_alive.seconds", "standin.11-keep-alive")
def test_an_idle_model_goes_when_its_time_is_up(engine: Target) -> None:
    engine.load(keep_alive=1)
    wait_until(lambda: engine.loaded() is None, "the model is unloaded")


@sentence("keep_alive.zero", "standin.11-keep-alive")
def test_zero_unloads_after_the_answer(engine: Target) -> None:
    answer = engine.generate(PROMPT, keep_alive=0, options={"num_predict": 4}).json()
    assert answer["eval_count"] == 4
    wait_until(lambda: engine.loaded() is None, "the model is unloaded")


@sentence("keep_alive.default", "start.context-without-much-vram", "environment.num-parallel")
@pytest.mark.needs("process")
def test_without_a_word_it_is_five_minutes_4096_tokens_and_one_slot(engine: Target) -> None:
    engine.unload()
    engine.load()
    loaded = engine.loaded()
    assert loaded is not None
    assert loaded["context_length"] == 4096
    assert timedelta(minutes=4) < lifetime(engine) <= timedelta(minutes=5, seconds=5)
    (runner,) = engine.runners()
    command = runner.cmdline()
    assert command[command.index("-np") + 1] == "1"


@sentence("keep_alive.default", "keep_alive.request-wins", "environment.context-length")
@pytest.mark.needs("start")
def test_the_environment_says_what_the_request_does_not(start_engine: Starter) -> None:
    engine = start_engine(OLLAMA_KEEP_ALIVE="42m", OLLAMA_CONTEXT_LENGTH="768")
    engine.load()
    loaded = engine.loaded()
    assert loaded is not None
    assert loaded["context_length"] == 768
    assert timedelta(minutes=41) < lifetime(engine) <= timedelta(minutes=42, seconds=5)
    engine.load(keep_alive="7m")
    assert lifetime(engine) <= timedelta(minutes=7, seconds=5)
