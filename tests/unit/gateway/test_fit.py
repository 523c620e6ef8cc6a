"""A prompt that does not fit loses its oldest part, and only as much as has to go."""

from __future__ import annotations

from ia0_daemon.engine.client import Question
from ia0_daemon.engine.messages import GENERATE, Message
from ia0_daemon.errors import ContextLengthExceeded
from ia0_daemon.gateway.fit import shortened
from tests.fakes import MODEL

WORDS = " ".join(f"word{number}" for number in range(200))


def refusal(prompt: int = 400, context: int = 200) -> ContextLengthExceeded:
    return ContextLengthExceeded("too long", prompt_tokens=prompt, context_tokens=context)


def test_the_engine_leaves_out_the_oldest_messages_first() -> None:
    said = [Message("user", "One"), Message("assistant", "Two"), Message("user", "Three")]
    shorter = shortened(Question(MODEL, said), refusal())
    assert shorter is not None
    assert (shorter.truncate, shorter.messages) == (True, said)


def test_a_single_message_loses_its_beginning_at_a_word() -> None:
    shorter = shortened(Question(MODEL, [Message("user", WORDS)]), refusal())
    assert shorter is not None
    rest = shorter.messages[0].content
    assert WORDS.endswith(rest)
    assert rest.startswith("word")
    assert len(WORDS) * 0.35 < len(rest) < len(WORDS) * 0.5


def test_behind_the_engines_own_cut_the_longest_message_is_cut_and_no_system_text() -> None:
    said = [Message("system", WORDS * 3), Message("user", WORDS), Message("user", "Why?")]
    shorter = shortened(Question(MODEL, said, truncate=True), refusal(420, 400))
    assert shorter is not None
    pairs = zip(shorter.messages, said, strict=True)
    assert [message.content == old.content for message, old in pairs] == [True, False, True]


def test_what_the_engines_own_cut_does_not_make_fit_is_asked_without_it_to_learn_the_numbers() -> None:
    said = [Message("system", "Be brief."), Message("user", WORDS), Message("user", WORDS)]
    shorter = shortened(Question(MODEL, said, truncate=True), refusal(0, 0))
    assert shorter is not None
    assert (shorter.truncate, shorter.messages) == (False, [said[0], said[2]])
    again = shortened(shorter, refusal())
    assert again is not None
    assert (again.truncate, len(again.messages)) == (False, 2)
    assert len(again.messages[1].content) < len(WORDS)


def test_the_generate_routes_prompt_is_cut_likewise() -> None:
    shorter = shortened(Question(MODEL, [], path=GENERATE, fields={"prompt": WORDS}), refusal())
    assert shorter is not None
    assert WORDS.endswith(shorter.fields["prompt"])


def test_where_nobody_says_how_much_nothing_is_cut() -> None:
    assert shortened(Question(MODEL, [Message("user", WORDS)]), refusal(0, 0)) is None


def test_where_too_little_can_be_left_out_nothing_is_cut() -> None:
    said = [Message("system", WORDS * 10), Message("user", "Hi")]
    assert shortened(Question(MODEL, said, truncate=True), refusal()) is None
