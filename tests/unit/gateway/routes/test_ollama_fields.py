"""The fields that Ollama's requests for text share."""

from __future__ import annotations

import pytest

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.routes.ollama_chat import ChatRequest, Turn
from ia0_daemon.gateway.routes.ollama_chat import wanted_of as chat_wanted
from ia0_daemon.gateway.routes.ollama_fields import check_common, seconds_of, unloads
from ia0_daemon.gateway.routes.ollama_generate import GenerateRequest
from ia0_daemon.gateway.routes.ollama_generate import wanted_of as generate_wanted
from ia0_daemon.settings.schema import Limits

LIMITS = Limits()
USER = Turn("user", "Hi")


@pytest.mark.parametrize(
    ("said", "seconds"), [(None, None), (5, 5), (-1, -1), (0.5, 0.5), ("5m", 300), ("0", 0), ("-1", -1)]
)
def test_a_keep_alive_is_seconds_or_a_duration(said: float | str | None, seconds: float | None) -> None:
    assert seconds_of(said) == seconds


@pytest.mark.parametrize("said", ["", "soon", "5 minutes", "1.5"])
def test_a_keep_alive_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(InvalidRequest, match="keep_alive: it is not a keep-alive such as 30m"):
        seconds_of(said)


@pytest.mark.parametrize(
    ("said", "is_end"), [(0, True), ("0s", True), ("0", True), (None, False), (-1, False)]
)
def test_a_keep_alive_of_nothing_unloads(said: float | str | None, is_end: bool) -> None:
    assert unloads(said) is is_end


def test_a_shift_that_would_drop_text_is_refused_or_left_out() -> None:
    with pytest.raises(InvalidRequest, match="shift: true drops"):
        check_common(ChatRequest(shift=True), LIMITS)
    check_common(ChatRequest(shift=False), LIMITS)
    check_common(ChatRequest(shift=True), Limits(runner_options="strip"))


@pytest.mark.parametrize(
    "more",
    [{"format": "json"}, {"logprobs": True}, {"think": True}, {"tools": [{}]}, {"resume": False}],
)
def test_only_plain_text_goes_on_after_a_cut(more: dict[str, object]) -> None:
    assert chat_wanted(ChatRequest(), [USER], LIMITS).may_resume
    assert not chat_wanted(ChatRequest(**more), [USER], LIMITS).may_resume  # type: ignore[arg-type]


def test_a_text_that_the_caller_began_does_not_go_on_after_a_cut() -> None:
    assert not chat_wanted(ChatRequest(), [USER, Turn("Assistant", "It")], LIMITS).may_resume


def test_a_prompt_is_not_shortened_unless_that_is_said() -> None:
    assert not chat_wanted(ChatRequest(), [USER], LIMITS).truncate
    assert chat_wanted(ChatRequest(truncate=True), [USER], LIMITS).truncate


def test_nothing_said_of_a_stream_means_one() -> None:
    assert chat_wanted(ChatRequest(stream=None), [USER], LIMITS).stream
    assert not chat_wanted(ChatRequest(stream=False), [USER], LIMITS).stream


def test_a_conversation_is_bounded_with_everything_that_is_read_of_it() -> None:
    limits = Limits(max_prompt_chars=60)
    chat_wanted(ChatRequest(), [Turn("user", "x" * 60)], limits)
    for turn in (Turn("user", "x" * 30, thinking="y" * 31), Turn("assistant", tool_calls=[{"x": "y" * 60}])):
        with pytest.raises(InvalidRequest, match=r"limits\.max_prompt_chars"):
            chat_wanted(ChatRequest(), [turn], limits)
    with pytest.raises(InvalidRequest, match=r"limits\.max_prompt_chars"):
        chat_wanted(ChatRequest(tools=[{"x": "y" * 60}]), [USER], limits)


def test_a_raw_prompt_gets_none_of_the_configurations_texts() -> None:
    assert generate_wanted(GenerateRequest(prompt="Hi"), LIMITS).is_careful
    assert not generate_wanted(GenerateRequest(prompt="Hi", raw=True), LIMITS).is_careful


@pytest.mark.parametrize("more", [{"system": "x"}, {"template": "x"}, {"context": [1]}])
def test_a_raw_prompt_has_nothing_beside_it(more: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="raw: it goes to the model as it is"):
        generate_wanted(GenerateRequest(prompt="Hi", raw=True, **more), LIMITS)  # type: ignore[arg-type]


def test_what_only_the_engines_own_route_can_do_goes_there() -> None:
    request = GenerateRequest(prompt="a", suffix="b", images=["x"], context=[1], think="low", format={"a": 1})
    wanted = generate_wanted(request, LIMITS)
    assert wanted.path == "/api/generate"
    assert wanted.fields == {
        "prompt": "a", "suffix": "b", "images": ["x"], "context": [1], "think": "low", "format": {"a": 1},
    }  # fmt: skip
    assert not wanted.may_resume
