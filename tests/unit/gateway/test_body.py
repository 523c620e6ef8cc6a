"""What a broken rule of a body is told: the field, the rule in our words, and where a field belongs."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from ia0_daemon.errors import InvalidRequest
from ia0_daemon.gateway.body import BodyReader
from ia0_daemon.gateway.broken_rule import rule_of
from ia0_daemon.gateway.routes.ollama_chat import ChatRequest as OllamaChat
from ia0_daemon.gateway.routes.openai_chat import ChatRequest
from ia0_daemon.gateway.validate import GenerateRequest


class Cat(msgspec.Struct, tag_field="type", tag="cat"):
    """One of two kinds."""


class Dog(msgspec.Struct, tag_field="type", tag="dog"):
    """The other."""


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """One field for each kind of rule."""

    text: str | None = None
    whole: int | None = None
    share: Annotated[float, Meta(ge=0, le=1)] | None = None
    above: Annotated[float, Meta(gt=0, lt=5)] | None = None
    step: Annotated[int, Meta(multiple_of=5)] | None = None
    flag: bool | None = None
    word: Literal["a", "b"] | None = None
    form: Literal["json"] | dict[str, Any] | None = None
    name: Annotated[str, Meta(pattern="^x$")] | None = None
    short: Annotated[str, Meta(min_length=1, max_length=2)] | None = None
    few: Annotated[list[int], Meta(min_length=1, max_length=2)] | None = None
    both: str | list[str] | None = None
    pair: tuple[int, int] | None = None
    pets: list[Cat | Dog] | None = None
    weights: dict[str, float] | None = None


def refused(kind: type[msgspec.Struct], body: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        BodyReader(kind).read(json.dumps(body).encode())
    return caught.value


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("text", 5, "text: must be a text, not a number; it is 5"),
        ("text", 5.5, "text: must be a text, not a number; it is 5.5"),
        ("text", ["secret"], "text: must be a text, not a list"),
        ("text", {"secret": 1}, "text: must be a text, not an object"),
        ("text", False, "text: must be a text, not true or false; it is false"),
        ("whole", "secret", "whole: must be a whole number, not a text"),
        ("whole", 1.5, "whole: must be a whole number, not a number with a fraction; it is 1.5"),
        ("share", -1, "share: must be at least 0; it is -1"),
        ("share", 1.5, "share: must be at most 1; it is 1.5"),
        ("above", 0, "above: must be more than 0; it is 0"),
        ("above", 5, "above: must be less than 5; it is 5"),
        ("step", 7, "step: must be a multiple of 5; it is 7"),
        ("flag", "secret", "flag: must be true or false, not a text"),
        ("word", "secret", 'word: must be "a" or "b"'),
        ("word", 3, 'word: must be "a" or "b", not a number; it is 3'),
        ("form", "secret", 'form: must be "json" or an object'),
        ("name", "secret", "name: must match the pattern '^x$'"),
        ("short", "", "short: must have at least 1 character"),
        ("short", "secret", "short: must have at most 2 characters"),
        ("few", [], "few: must have at least 1 entry"),
        ("few", [1, 2, 3], "few: must have at most 2 entries"),
        ("few", [1, "secret"], "few[1]: must be a whole number, not a text"),
        ("both", 1, "both: must be a text or a list, not a number; it is 1"),
        ("pair", [1], "pair: must have 2 entries"),
        ("pets", [{"type": "secret"}], 'pets[0].type: must be "cat" or "dog"'),
        ("pets", [{"type": 7}], 'pets[0].type: must be "cat" or "dog"; it is 7'),
        ("pets", [{}], "pets[0].type: it is missing"),
        ("weights", {"a": "secret"}, "weights[...]: must be a number, not a text"),
    ],
)
def test_a_broken_rule_is_told_in_our_words_without_a_text_of_the_callers(
    field: str, value: object, said: str
) -> None:
    error = refused(Body, {field: value})
    assert error.message == said
    assert said.startswith(f"{error.details['field']}: ")


def test_a_number_beyond_all_is_told_so() -> None:
    with pytest.raises(InvalidRequest, match="whole: is a number beyond all that can be taken"):
        BodyReader(Body).read(b'{"whole": 1e400}')


def test_a_body_that_is_no_object_is_told_so() -> None:
    assert refused(Body, []).message == "the body must be an object, not a list"


@pytest.mark.parametrize(
    ("sentence", "rule"),
    [
        ("Expected `array` of at least length 2, got 1", "must have at least 2 entries, not 1"),
        ("Expected `array` of length 1 to 3, got 0", "must have 1 to 3 entries, not 0"),
        ("Integer value out of range", "is a number beyond all that can be taken"),
        ("Invalid value 'secret'", "is none of the values that are taken"),
        ("Invalid base64 encoded string", "Invalid base64 encoded string"),
        ("Expected `bytes`, got `str`", "Expected bytes, got str"),
    ],
)
def test_rare_sentences_are_told_too_and_unknown_ones_as_they_are(sentence: str, rule: str) -> None:
    assert rule_of(sentence) == rule


@pytest.mark.parametrize(
    ("kind", "body", "near"),
    [
        (GenerateRequest, {"prompt": "Hi", "max_tokens": 5}, "params.max_tokens"),
        (GenerateRequest, {"prompt": "Hi", "temprature": 1}, "params.temperature"),
        (GenerateRequest, {"prompt": "Hi", "params": {"system": "x"}}, "system"),
        (GenerateRequest, {"prompt": "Hi", "params": {"maxTokens": 5}}, "params.max_tokens"),
        (GenerateRequest, {"promt": "Hi"}, "prompt"),
        (OllamaChat, {"temperature": 1}, "options.temperature"),
        (ChatRequest, {"include_usage": True}, "stream_options.include_usage"),
        (ChatRequest, {"messages": [{"role": "user", "contents": "x"}]}, "messages[0].content"),
    ],
)
def test_an_unknown_field_is_told_which_one_was_meant(
    kind: type[msgspec.Struct], body: dict[str, Any], near: str
) -> None:
    assert f"unknown field; did you mean `{near}`?" in refused(kind, body).message


def test_a_field_that_is_no_name_stands_in_the_details_alone() -> None:
    error = refused(GenerateRequest, {"prompt": "Hi", "Dear doctor, it is secret": 1})
    assert "doctor" not in error.message
    assert error.message.startswith("the body: unknown field; known here: prompt")
    assert error.details["field"] == "Dear doctor, it is secret"


def test_a_field_that_is_near_to_none_gets_no_hint() -> None:
    assert "did you mean" not in refused(GenerateRequest, {"prompt": "Hi", "zzz": 1}).message
    assert "did you mean" not in refused(GenerateRequest, {"prompt" * 1000: "Hi"}).message
