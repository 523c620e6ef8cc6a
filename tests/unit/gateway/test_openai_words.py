"""OpenAI's clients know some errors by their sentence alone."""

from __future__ import annotations

from ia0_daemon.errors import ContextLengthExceeded, InvalidRequest
from ia0_daemon.gateway.error_shapes import openai

KNOWN_BY = "This model's maximum context length is"


def test_a_prompt_that_is_too_long_is_told_in_openais_words_with_the_figures() -> None:
    error = ContextLengthExceeded("no", prompt_tokens=900, context_tokens=512)
    message = openai(error, "id")["error"]["message"]
    assert message.startswith(f"{KNOWN_BY} 512 tokens. However, your messages resulted in 900 tokens")


def test_without_figures_the_beginning_is_the_same() -> None:
    assert (
        openai(ContextLengthExceeded("too long"), "id")["error"]["message"]
        == f"{KNOWN_BY} exceeded: too long"
    )


def test_any_other_error_keeps_its_sentence() -> None:
    assert openai(InvalidRequest("n: no"), "id")["error"]["message"] == "n: no"
