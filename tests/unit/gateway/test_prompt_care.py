"""What all requests share stands first, and the rest is as it was said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.engine.messages import GENERATE, Message
from ia0_daemon.gateway.prompt_care import laid, normalized, question_of
from ia0_daemon.gateway.wanted import Wanted
from ia0_daemon.settings.schema import ApiKey, Model

PLAIN = Model(name="m", tag="m:1b")
KEY = ApiKey(name="shop", sha256="0" * 64, system="You sell shoes.")
ASKED = [Message("system", "Be brief."), Message("user", "Hi  there")]


def model(**fields: Any) -> Model:
    return Model(name="m", tag="m:1b", **fields)


def question(wanted: Wanted, of: Model, key: ApiKey | None = None) -> Any:
    return question_of(wanted, of, key, "id")


def test_without_any_care_nothing_is_changed() -> None:
    assert laid(ASKED, PLAIN, None, single=True) == ASKED


def test_the_models_text_comes_first_then_the_keys_then_the_requests() -> None:
    system, user = laid(ASKED, model(system="You are Ia."), KEY, single=False)
    assert (system.role, system.content) == ("system", "You are Ia.\n\nYou sell shoes.\n\nBe brief.")
    assert user == ASKED[1]


def test_a_template_stands_around_a_single_prompt_alone() -> None:
    framed = model(template="Answer: {prompt}!")
    assert laid(ASKED, framed, None, single=True)[-1].content == "Answer: Hi  there!"
    assert laid(ASKED, framed, None, single=False)[-1].content == "Hi  there"


def test_white_space_is_normalized_where_the_model_says_so_and_never_in_an_answer() -> None:
    said = [*ASKED, Message("assistant", "Yes,  I"), Message("user", " a \n\n\n b ")]
    neat = laid(said, model(normalize_whitespace=True), None, single=False)
    assert [message.content for message in neat] == [
        "Be brief.",
        "Hi there",
        "Yes,  I",
        "a\n\nb",
    ]


@pytest.mark.parametrize(
    ("text", "neat"),
    [
        (" a\t b ", "a b"),
        ("a \n b", "a\nb"),
        ("a\n \n\n b", "a\n\nb"),
        ("a\n\nb", "a\n\nb"),
        ("", ""),
        ("a\x00b", "a\x00b"),
    ],
)
def test_one_blank_and_one_blank_line_are_left(text: str, neat: str) -> None:
    assert normalized(text) == neat


@given(st.text())
def test_normalizing_twice_is_normalizing_once_and_words_stay(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)
    assert normalized(text).split() == text.split()


def test_the_generate_routes_texts_are_fields() -> None:
    wanted = Wanted("m", [], {}, path=GENERATE, fields={"prompt": " Hi ", "system": "Be brief."})
    asked = question(wanted, model(system="You are Ia.", normalize_whitespace=True), KEY)
    assert asked.fields == {"prompt": "Hi", "system": "You are Ia.\n\nYou sell shoes.\n\nBe brief."}
    assert asked.messages == []


def test_a_raw_prompt_is_left_alone() -> None:
    wanted = Wanted("m", [], {}, path=GENERATE, fields={"prompt": " Hi ", "raw": True}, is_careful=False)
    assert question(wanted, model(system="You are Ia."), KEY).fields == wanted.fields


def test_a_template_stands_around_a_single_prompt_of_the_generate_route() -> None:
    framed, fields = model(template="Answer: {prompt}!"), {"prompt": "Hi"}
    single = Wanted(None, [], {}, path=GENERATE, fields=fields, is_single=True)
    assert question(single, framed).fields["prompt"] == "Answer: Hi!"
    part = Wanted(None, [], {}, path=GENERATE, fields=fields)
    assert question(part, framed).fields["prompt"] == "Hi"
