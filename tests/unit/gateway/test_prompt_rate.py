"""A prompt's tokens are those of the prompts before it, by its length."""

from __future__ import annotations

from ia0_daemon.gateway.prompt_rate import PromptRates


def test_nothing_is_said_before_anything_was_counted() -> None:
    assert PromptRates().tokens("small", 1000) == 0


def test_each_model_counts_in_its_own_way() -> None:
    rates = PromptRates()
    rates.note("small", 100, 25)
    rates.note("large", 100, 50)
    assert (rates.tokens("small", 1000), rates.tokens("large", 1000)) == (250, 500)


def test_the_last_prompts_count_more_than_the_first() -> None:
    rates = PromptRates()
    for tokens in [10] * 20 + [50] * 20:
        rates.note("small", 100, tokens)
    assert 490 <= rates.tokens("small", 1000) <= 500


def test_a_prompt_without_characters_or_tokens_says_nothing() -> None:
    rates = PromptRates()
    rates.note("small", 0, 5)
    rates.note("small", 5, 0)
    assert rates.tokens("small", 1000) == 0
