"""One event: whatever a caller makes of it, it can be written, and it is not long."""

from __future__ import annotations

import json
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.clock import timestamp
from ia0_daemon.supervisor.event_kinds import SEVERITIES, Kind, usual_severity
from ia0_daemon.supervisor.events import LONGEST_DETAILS_BYTES, LONGEST_SUMMARY, Event, details_json

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)
# Also lone surrogates, as names of files have them that are no UTF-8.
ANY_TEXT = st.text(st.characters(codec=None), max_size=2000)


@given(ANY_TEXT, st.dictionaries(ANY_TEXT, ANYTHING, max_size=4))
def test_every_event_can_be_written(summary: str, details: dict[str, object]) -> None:
    event = Event(timestamp(), Kind.DRAIN, "info", summary, details).bounded()
    assert len(event.summary) <= LONGEST_SUMMARY
    assert event.summary.encode().decode() == event.summary
    assert json.loads(details_json(event.details)) == event.details


def test_details_that_are_too_long_are_left_out_by_name() -> None:
    event = Event.now(Kind.DRAIN, "", text="x" * LONGEST_DETAILS_BYTES).bounded()
    assert event.details["keys"] == ["text"]


def test_details_that_hold_themselves_are_told_by_their_repr() -> None:
    endless: dict[str, object] = {}
    endless["self"] = endless
    assert "unwritable" in Event("", "k", "info", "", endless).bounded().details


def test_a_summary_is_one_line() -> None:
    assert Event.now(Kind.DRAIN, " a\n b\t c ").bounded().summary == "a b c"


def test_a_severity_that_is_none_is_an_error() -> None:
    event = Event("", "k", "fatal", "")  # type: ignore[arg-type]  # what a caller without hints may do
    assert event.bounded().severity == "error"


def test_the_time_is_utc_and_sorts() -> None:
    at = Event.now(Kind.DRAIN, "").at
    assert at.endswith("Z")
    assert datetime.fromisoformat(at).utcoffset() is not None


def test_every_kind_has_a_severity() -> None:
    assert {usual_severity(kind) for kind in Kind} == set(SEVERITIES)


def test_details_may_bear_any_name() -> None:
    details: dict[str, object] = {"kind": 1, "summary": 2, "severity": 3, "cls": 4}
    assert Event.now(Kind.DRAIN, "", None, **details).details == details
