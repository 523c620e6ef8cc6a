"""What no request may do to the engine."""

from __future__ import annotations

import pytest

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.guards import (
    RUNNER_OPTIONS,
    check_prompt,
    context_of,
    is_context_full,
    token_bound,
    without_runner_options,
)
from ia0_daemon.settings.schema import Limits, Model

LIMITS = Limits(max_tokens=100, max_prompt_chars=50)


def test_a_prompt_that_is_too_long_is_refused_with_its_length() -> None:
    check_prompt(50, LIMITS, "prompt")
    with pytest.raises(InvalidRequest, match=r"^messages: 51 characters.*max_prompt_chars allows 50"):
        check_prompt(51, LIMITS, "messages")


def test_nothing_said_is_the_most_and_more_is_refused() -> None:
    assert (token_bound(None, LIMITS, "max_tokens"), token_bound(100, LIMITS, "max_tokens")) == (100, 100)
    with pytest.raises(InvalidRequest, match=r"^max_tokens: 101 is more than limits\.max_tokens"):
        token_bound(101, LIMITS, "max_tokens")


@pytest.mark.parametrize("name", sorted(RUNNER_OPTIONS))
def test_an_option_that_would_reload_the_model_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^options\.{name}: ") as caught:
        without_runner_options({"temperature": 1, name: 7}, LIMITS, "options")
    assert caught.value.details["value"] == 7


def test_or_it_is_left_out_where_the_operator_says_so() -> None:
    said = {"temperature": 1, **dict.fromkeys(RUNNER_OPTIONS, 7)}
    assert without_runner_options(said, Limits(runner_options="strip"), "options") == {"temperature": 1}


@pytest.mark.parametrize(
    ("prompt", "completion", "context", "bound", "full"),
    [
        (400, 111, 512, 200, True),  # llama-server stops one short of the context
        (400, 112, 512, 200, True),
        (400, 50, 512, 50, False),
        (400, 100, 512, 200, False),
        (400, 112, 0, 200, False),
    ],
)
def test_an_answer_is_cut_by_the_context_where_its_own_bound_was_not_reached(
    prompt: int, completion: int, context: int, bound: int, full: bool
) -> None:
    assert is_context_full(prompt, completion, context, bound) is full


def test_the_context_is_that_of_the_loaded_model() -> None:
    model = Model(name="m", tag="m:1b", num_ctx=4096)
    assert (context_of(model, 2048), context_of(model, 0)) == (2048, 4096)
