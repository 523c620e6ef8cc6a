"""What happens to prompts that are too long, and to answers that fill the context."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.target import ENDLESS, Target

sentence = pytest.mark.sentence

TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt,"
    " adjust the context length in settings, or use a model with a longer context length"
)


def words(count: int) -> str:
    """A text of about this many tokens, no two neighbours alike."""
    return " ".join(f"word{number % 10}" for number in range(count // 2))


def kept(num_ctx: int, num_keep: int, bos: bool) -> int:
    """How many tokens of a prompt that is too long are left."""
    keep = num_keep + (1 if bos else 0)
    return num_ctx - max((num_ctx - keep) // 2, 1)


def raw_count(engine: Target, prompt: str, **fields: Any) -> int:
    """The prompt_eval_count of a prompt that goes in as it stands."""
    options = {"num_predict": 1, "temperature": 0, **fields.pop("options", {})}
    answer = engine.generate(prompt, raw=True, options=options, **fields)
    assert answer.status == 200, answer
    count = answer.json()["prompt_eval_count"]
    assert isinstance(count, int)
    return count


def prompt_of(engine: Target, tokens: int, num_ctx: int) -> str:
    """A prompt of exactly this many tokens, found by asking: " a" is one token everywhere."""
    prompt = words(tokens // 2)
    count = raw_count(engine, prompt, options={"num_ctx": num_ctx})
    return prompt + " a" * (tokens - count)


@sentence("truncation.count", "options.num_keep", "standin.6-truncation")
@pytest.mark.parametrize(("num_ctx", "num_keep"), [(512, 4), (513, 4), (512, 64)])
def test_a_long_prompt_keeps_its_head_and_its_tail(engine: Target, num_ctx: int, num_keep: int) -> None:
    options = {"num_ctx": num_ctx, **({"num_keep": num_keep} if num_keep != 4 else {})}
    count = raw_count(engine, words(1200), options=options)
    assert count == kept(num_ctx, num_keep, engine.add_bos())


@sentence("truncation.count-for-4096", "truncation.count", "standin.6-truncation")
def test_of_4096_tokens_2050_are_left_and_2051_with_bos(engine: Target) -> None:
    count = raw_count(engine, words(4400), options={"num_ctx": 4096})
    assert count == (2051 if engine.add_bos() else 2050)


@sentence("truncation.fits-by-one", "standin.6-truncation")
def test_one_token_less_than_the_context_fits_and_one_more_is_cut(engine: Target) -> None:
    fits = prompt_of(engine, 255, 256)
    assert raw_count(engine, fits, options={"num_ctx": 256}) == 255
    assert raw_count(engine, fits + " a", options={"num_ctx": 256}) == kept(256, 4, engine.add_bos())


@sentence("truncation.count")
def test_a_single_long_message_is_cut_like_a_prompt(engine: Target) -> None:
    message = {"role": "user", "content": words(1200)}
    answer = engine.chat([message], options={"num_ctx": 512, "num_predict": 1}).json()
    assert answer["prompt_eval_count"] == kept(512, 4, engine.add_bos())


@sentence("truncation.chat-drops-oldest")
def test_a_chat_drops_its_oldest_messages_but_not_the_system_s(engine: Target) -> None:
    system = {"role": "system", "content": "You speak of the weather only."}
    old = {"role": "user", "content": words(600)}
    rest = [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And tomorrow?"}]
    options = {"num_ctx": 512, "num_predict": 1}
    cut = engine.chat([system, old, *rest], options=options).json()["prompt_eval_count"]
    assert cut == engine.chat([system, *rest], options=options).json()["prompt_eval_count"]


@sentence("truncation.chat-drops-oldest")
def test_a_chat_that_fits_drops_nothing(engine: Target) -> None:
    old = {"role": "user", "content": words(300)}
    rest = [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And tomorrow?"}]
    options = {"num_ctx": 512, "num_predict": 1}
    assert engine.chat([old, *rest], options=options).json()["prompt_eval_count"] > 300


@sentence("truncation.shift-off")
@pytest.mark.parametrize("stream", [True, False])
def test_with_the_shift_off_a_long_prompt_is_an_error(engine: Target, stream: bool) -> None:
    options = {"num_ctx": 512, "num_predict": 1}
    answer = engine.generate(words(1200), raw=True, shift=False, stream=stream, options=options)
    assert (answer.status, answer.error()) == (400, TOO_LONG)


@sentence("truncation.off", "errors.pass-through")
@pytest.mark.parametrize("shift", [True, False])
def test_with_truncate_off_it_is_the_runner_s_own_error(engine: Target, shift: bool) -> None:
    options = {"num_ctx": 512, "num_predict": 1}
    answer = engine.generate(words(1200), raw=True, truncate=False, shift=shift, options=options)
    assert answer.status == 400
    assert "exceed_context_size_error" in answer.error()


@sentence("truncation.off", "errors.pass-through")
def test_with_truncate_off_a_chat_drops_nothing(engine: Target) -> None:
    messages = [
        {"role": "user", "content": words(1200)},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And tomorrow?"},
    ]
    answer = engine.chat(messages, truncate=False, options={"num_ctx": 512, "num_predict": 1})
    assert answer.status == 400
    assert "exceed_context_size_error" in answer.error()


# Any model goes on with this for ever, and faster than by a grammar.
PATTERN = "one two three four five six seven eight " * 20 + "one"


def written(engine: Target, **fields: Any) -> dict[str, Any]:
    """An answer that would not end by itself, in a context of 256."""
    options = {"num_ctx": 256, "num_predict": 120, "temperature": 0, "repeat_penalty": 1.0}
    answer = engine.generate(PATTERN, raw=True, options=options, **fields)
    assert answer.status == 200, answer
    whole = answer.json()
    assert isinstance(whole, dict)
    return whole


@sentence("shift.on-by-default")
def test_an_answer_that_fills_the_context_goes_on(engine: Target) -> None:
    whole = written(engine)
    assert (whole["eval_count"], whole["done_reason"]) == (120, "length")


@sentence("shift.truncate-does-not-stop-it")
def test_truncate_off_does_not_stop_the_shift(engine: Target) -> None:
    whole = written(engine, truncate=False)
    assert (whole["eval_count"], whole["done_reason"]) == (120, "length")


@sentence("shift.off")
def test_with_the_shift_off_the_answer_ends_where_the_context_is_full(engine: Target) -> None:
    whole = written(engine, shift=False)
    assert whole["done_reason"] == "length"
    assert 250 <= whole["prompt_eval_count"] + whole["eval_count"] <= 257


@sentence("options.num_predict-is-capped")
def test_an_answer_without_a_bound_ends_at_ten_times_the_context(engine: Target) -> None:
    options = {"num_ctx": 8, "num_predict": -1, "temperature": 0}
    whole = engine.generate("Write.", raw=True, format=ENDLESS, options=options).json()
    assert (whole["eval_count"], whole["done_reason"]) == (80, "length")
