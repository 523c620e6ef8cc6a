"""An answer goes on with nothing repeated and nothing missing at the seam."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.engine.client import Question
from ia0_daemon.engine.messages import Message
from ia0_daemon.engine.seam import Seam, continuation
from ia0_daemon.settings.schema import Model

MODEL = Model(name="m", tag="m:1")


def joined(written: str, parts: list[str], stops: list[str] | None = None, *, repeats: bool = False) -> str:
    seam = Seam(written, stops or [], repeats=repeats)
    text = written
    for part in parts:
        text += seam.join(part)
        if seam.stopped:
            break
    return text


def test_what_is_left_of_the_tokens_is_asked_for_behind_what_was_written() -> None:
    question = Question(MODEL, [Message("user", "Count.")], {"num_predict": 100, "seed": 1})
    rest = continuation(question, "one, two,", 6)
    assert rest.options == {"num_predict": 94, "seed": 1}
    assert rest.messages[-1] == Message("assistant", "one, two,")


def test_a_prefill_does_not_end_with_a_blank() -> None:
    question = Question(MODEL, [Message("user", "Count.")], {"num_predict": 100})
    assert continuation(question, "one, ", 3).messages[-1].content == "one,"


def test_only_white_space_written_so_far_is_no_prefill() -> None:
    question = Question(MODEL, [Message("user", "Count.")], {"num_predict": 100})
    assert len(continuation(question, "\n", 1).messages) == 1


def test_the_blank_that_was_left_out_is_not_written_twice() -> None:
    assert joined("one, ", [" two"]) == "one, two"
    assert joined("one, ", ["", " ", "two"]) == "one, two"


def test_a_continuation_without_the_blank_is_not_cut() -> None:
    assert joined("one, ", ["two"]) == "one, two"


def test_text_behind_a_word_goes_on_unchanged() -> None:
    assert joined("one, tw", ["o, three"]) == "one, two, three"


def test_a_model_that_repeats_its_prefill_is_heard_behind_it() -> None:
    assert joined("one, two,", ["one", ", two, three"], repeats=True) == "one, two, three"
    assert joined("one, two, ", ["one, two,", " three"], repeats=True) == "one, two, three"


def test_a_model_said_to_repeat_that_does_not_loses_nothing() -> None:
    assert joined("one, two,", [" three"], repeats=True) == "one, two, three"


def test_a_stop_that_began_before_the_seam_ends_the_answer() -> None:
    seam = Seam("The EN", ["END"], repeats=False)
    assert seam.join("D of it") == ""
    assert seam.stopped


def test_a_stop_across_three_parts_is_found() -> None:
    seam = Seam("x <", ["<end>"], repeats=False)
    assert seam.join("e") == "e"
    assert seam.join("nd> y") == ""
    assert seam.stopped


def test_a_stop_that_stands_in_what_was_written_before_does_not_end_it() -> None:
    assert joined("ENDLESS text ", ["goes on"], ["ENDING"]) == "ENDLESS text goes on"


@given(st.text(max_size=30), st.lists(st.text(max_size=8), max_size=6))
def test_without_stops_only_the_blank_at_the_seam_is_ever_taken_out(written: str, parts: list[str]) -> None:
    kept = written.rstrip() if written.strip() else ""
    blank = written[len(kept) :]
    whole = "".join(parts)
    out = joined(written, parts)
    taken = len(written) + len(whole) - len(out)
    assert out.startswith(written)
    assert taken <= len(blank)
    assert blank.startswith(whole[:taken])


def test_no_stop_is_looked_for_once_none_can_have_begun_before_the_seam() -> None:
    seam = Seam("x <", ["<end>"], repeats=False)
    assert [seam.join(letter) for letter in "abcde<end>"] == list("abcde<end>")
    assert not seam.stopped, "what the engine writes now is the engine's to match"
