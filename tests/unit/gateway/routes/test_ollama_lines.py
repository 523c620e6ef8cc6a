"""How answers read to Ollama's clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.errors import EngineError
from ia0_daemon.gateway.call import Call
from ia0_daemon.gateway.routes.ollama_lines import ChatShape, GenerateShape
from ia0_daemon.gateway.wanted import Result

AWKWARD = 'a "quoted" \\ line\nand ünï 🎈\x00'
RESULT = Result("Hi", "length", 7, 3, context=[1, 2], eval_duration=9)


def call(**said: Any) -> Call:
    made = Call("id", "POST", "/api/chat", "/api/chat", "", bool)
    made.model, made.requested_model = "small", "alias"
    for name, value in said.items():
        setattr(made, name, value)
    return made


def lines(data: bytes) -> list[dict[str, Any]]:
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def test_each_line_of_the_engines_is_a_line() -> None:
    shape = ChatShape()
    found = lines(shape.piece(call(), [ChatLine(Delta(AWKWARD)), ChatLine(Delta("b"))]))
    assert [line["message"] for line in found] == [
        {"role": "assistant", "content": AWKWARD},
        {"role": "assistant", "content": "b"},
    ]
    assert [(line["model"], line["done"]) for line in found] == [("alias", False)] * 2
    assert list(found[0]) == ["model", "created_at", "message", "done"]


def test_generates_text_stands_elsewhere() -> None:
    (line,) = lines(GenerateShape().piece(call(), [ChatLine(response=AWKWARD)]))
    assert (line["response"], line["done"]) == (AWKWARD, False)


def test_a_line_has_what_else_it_brings() -> None:
    logprobs = [{"token": "a", "logprob": -1}]
    rich = ChatLine(Delta("a", "Hm.", [{"function": {}}]), logprobs=logprobs)
    (line,) = lines(ChatShape().piece(call(), [rich]))
    assert line["message"] == {
        "role": "assistant", "content": "a", "thinking": "Hm.", "tool_calls": [{"function": {}}],
    }  # fmt: skip
    assert line["logprobs"] == logprobs
    (line,) = lines(GenerateShape().piece(call(), [ChatLine(response="a", thinking="Hm.")]))
    assert (line["response"], line["thinking"]) == ("a", "Hm.")


@pytest.mark.parametrize(("asked", "told"), [("alias", "alias"), ("", "small"), ("auto", "small")])
def test_an_answer_bears_the_name_that_was_asked_for(asked: str, told: str) -> None:
    assert json.loads(ChatShape().whole(call(requested_model=asked), RESULT))["model"] == told


def test_the_last_line_has_the_figures_and_no_zeros() -> None:
    (line,) = lines(GenerateShape().closing(call(), RESULT))
    assert line.pop("total_duration") > 0
    del line["created_at"]
    assert line == {
        "model": "alias", "response": "", "done": True, "done_reason": "length", "context": [1, 2],
        "prompt_eval_count": 7, "eval_count": 3, "eval_duration": 9,
    }  # fmt: skip


def test_what_happened_on_the_way_is_told() -> None:
    slip = call(cached=True, resumed=1, resumed_at=[4], truncated={"prompt_tokens": 9}, context_full=True)
    found = json.loads(ChatShape().whole(slip, RESULT))
    assert (found["cached"], found["resumed"], found["resumed_at"]) == (True, 1, [4])
    assert (found["truncated"], found["context_full"]) == ({"prompt_tokens": 9}, True)


def test_an_error_behind_the_first_byte_is_a_last_line() -> None:
    (line,) = lines(ChatShape().failure(call(), EngineError("it broke")))
    assert (line["error"], line["code"]) == ("it broke", "ENGINE_ERROR")
