"""`make chaos` finds each way in which client, daemon and engine can disagree."""

from __future__ import annotations

from typing import Any

import pytest

from ia0_daemon.embedded.told import digest
from tests.chaos.agree import count, disagreements, shared_differ, strangers, sums_disagree
from tests.chaos.clients import PLAIN, SHARED, STREAM, STREAM_TOKENS, Outcome
from tests.chaos.engine_log import Ledger

ID = "chaos-stream-1"
BEFORE, AFTER = "Once upon ", "a time"


def figures(**changes: Any) -> dict[str, Any]:
    return {"completion_tokens": 4, "prompt_tokens": 9, "finish_reason": "stop", **changes}


def line(**changes: Any) -> dict[str, Any]:
    return {"code": "OK", **figures(), **changes}


def uncut(text: str = BEFORE + AFTER, **changes: Any) -> Outcome:
    return Outcome(PLAIN, ID, "Tell me.", "answered", text, figures(**changes))


def resumed(text: str = BEFORE + AFTER, **changes: Any) -> Outcome:
    said = figures(resumed=1, resumed_at=[len(BEFORE)], **changes)
    return Outcome(STREAM, ID, "Tell me.", "answered", text, said)


def begun(request: str = ID) -> str:
    return f"time=x level=INFO source=told msg=answer begun request={request}"


def finished(text: str, tokens: int = 4, blank: str = "") -> str:
    told = f"tokens={tokens} reason=stop blank={blank} text={digest(text)}"
    return f"time=x level=INFO source=told msg=answer finished request={ID} {told}"


def goes_on(text: str) -> str:
    return f"time=x level=INFO source=told msg=answer goes on request={ID} from={digest(text)}"


WHOLE = [begun(), finished(BEFORE + AFTER)]
CUT = [begun(), goes_on(BEFORE), begun(), finished(AFTER, 2)]


def faults(outcome: Outcome, said: dict[str, Any] | None, *engine: str) -> list[str]:
    log = {} if said is None else {ID: said}
    return disagreements([outcome], log, Ledger("\n".join(engine)))


def test_an_answer_of_which_all_three_say_the_same_is_no_fault() -> None:
    assert faults(uncut(), line(), *WHOLE) == []
    assert faults(resumed(), line(askings=2, resumed=1), *CUT) == []


def test_an_asking_that_the_engine_never_began_is_no_fault() -> None:
    assert faults(uncut(), line(askings=3, asked_again=2), *WHOLE) == []


@pytest.mark.parametrize(
    ("outcome", "said", "engine", "fault"),
    [
        (uncut(), None, WHOLE, "the daemon has no line"),
        (uncut(), line(code="TIMEOUT"), WHOLE, "client answered, daemon TIMEOUT"),
        (Outcome(PLAIN, ID, "Tell me.", "lost"), line(), WHOLE, "client lost, daemon OK"),
        (uncut(), line(prompt_tokens=8), WHOLE, "prompt_tokens is 9 for the client, 8 in the log"),
        (uncut(), line(), [], "the engine has finished nothing"),
        (uncut(), line(), [begun()], "the engine has finished nothing"),
        (uncut(), line(), [begun(), *WHOLE], "began 2 answers, the daemon asked for 1"),
        (
            uncut(),
            line(),
            [begun(), finished(BEFORE + AFTER, 3)],
            "4 tokens for the client, 3 for the engine",
        ),
        (uncut("Once upon a"), line(), WHOLE, "another text than the engine wrote"),
        (resumed(BEFORE + "time"), line(askings=2), CUT, "another text than the engine wrote"),
        (resumed(BEFORE + " " + AFTER), line(askings=2), CUT, "another blank than the engine wrote"),
        (
            resumed(),
            line(askings=2),
            [begun(), goes_on("Once"), begun(), finished(AFTER, 2)],
            "the engine went on from another text",
        ),
        (resumed(), line(askings=2), [begun(), goes_on(BEFORE), begun(), finished(AFTER, 5)], "4 tokens"),
    ],
)
def test_a_disagreement_is_found(
    outcome: Outcome, said: dict[str, Any] | None, engine: list[str], fault: str
) -> None:
    found = faults(outcome, said, *engine)
    assert any(fault in each for each in found), found


def test_a_blank_that_stands_before_the_seam_is_not_expected_behind_it() -> None:
    engine = [begun(), goes_on(BEFORE), begun(), finished(AFTER, 2, blank="%20")]
    assert faults(resumed(), line(askings=2), *engine) == []


def test_more_tokens_than_were_asked_for_are_found() -> None:
    most = STREAM_TOKENS + 1
    outcome = Outcome(STREAM, ID, "Tell me.", "answered", "a", figures(completion_tokens=most))
    found = faults(outcome, line(completion_tokens=most), begun(), finished("a", most))
    assert found == [f"{ID}: {most} tokens, {STREAM_TOKENS} were allowed"]


@pytest.mark.parametrize(
    ("ends", "finished_", "cut", "unheard"), [([], 0, 1, 0), ([finished(BEFORE, STREAM_TOKENS)], 1, 0, 1)]
)
def test_a_stream_that_was_cut_behind_its_last_token_needs_no_end_of_the_engine(
    ends: list[str], finished_: int, cut: int, unheard: int
) -> None:
    outcome = resumed(BEFORE, completion_tokens=STREAM_TOKENS, finish_reason="length")
    said = line(completion_tokens=STREAM_TOKENS, finish_reason="length", resumed=1)
    engine = [begun(), *ends]
    assert faults(outcome, said, *engine) == []
    counts = count([outcome], {ID: said}, Ledger("\n".join(engine)))
    assert (counts.answered, counts.finished, counts.cut, counts.at_length) == (1, finished_, cut, 1)
    assert counts.unheard == unheard
    assert sums_disagree(counts) == []


def test_the_sums_are_each_ones_own() -> None:
    said = line(askings=3, asked_again=1, resumed=1, gate_ms=7)
    counts = count([resumed()], {ID: said}, Ledger("\n".join(CUT)))
    assert (counts.answered, counts.daemon_answered) == (1, 1)
    assert (counts.waited, counts.again, counts.went_on, counts.asked) == (1, 1, 1, 3)
    assert (counts.begun, counts.finished, counts.cut) == (2, 1, 1)
    assert sums_disagree(counts) == []


def test_sums_that_do_not_follow_from_each_other_are_found() -> None:
    said = line(code="TIMEOUT")
    counts = count([uncut()], {ID: said}, Ledger("\n".join([begun(), begun()])))
    by_daemon, by_engine, begun_ = sums_disagree(counts)
    assert by_daemon == "1 answers for the clients, 0 for the daemon"
    assert by_engine == "the engine finished 0 answers; by the clients' it is 1"
    assert begun_ == "the engine began 2 answers; the daemon asked for 1"


def test_whoever_only_one_side_knows_is_found() -> None:
    engine = Ledger("\n".join([begun("nobody"), begun("-"), begun()]))
    log = {ID: line(), "chaos-plain-9": line(), "other": line()}
    by_engine, by_daemon = strangers(engine, log, [uncut()])
    assert by_engine == "nobody: answered by the engine, unknown to the daemon"
    assert by_daemon == "chaos-plain-9: answered by the daemon, sent by nobody"


def test_a_shared_answer_is_one_that_another_got_too() -> None:
    one = [Outcome(SHARED, name, "Tell me.", "answered", "A lighthouse.") for name in ("first", "second")]
    log: dict[str, Any] = {"first": {}, "second": {"cached": True}}
    assert shared_differ(one, log) == []
    assert shared_differ([one[1]], log) == ["second: it shared an answer that nobody else got"]
    assert shared_differ([one[0]], log) == ["1 equal requests, and none shared an answer"]


def test_shared_answers_are_not_expected_of_the_engine() -> None:
    outcome = Outcome(SHARED, ID, "Tell me.", "answered", "A lighthouse.", figures())
    counts = count([outcome], {ID: line()}, Ledger(""))
    assert (counts.answered, counts.shared, sums_disagree(counts)) == (1, 1, [])
    assert disagreements([outcome], {ID: line()}, Ledger("")) == []
