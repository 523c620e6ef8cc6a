"""One message while an alert fires, again every so often, and one when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.alerts.book import Book, Pace
from ia0_daemon.alerts.rules import SAID_BY, Alert, Change

START = datetime(2026, 1, 31, tzinfo=UTC)
REPEAT = timedelta(hours=4)
PACE = Pace(REPEAT, {Alert.ENGINE_DOWN: timedelta(seconds=60)})
MINUTE = timedelta(minutes=1)


def told(book: Book, change: Change, now: datetime) -> list[tuple[str, str]]:
    return [(message.alert, message.status) for message in book.change(change, now)]


def firing(alert: Alert = Alert.MEMORY_HARD, summary: str = "") -> Change:
    return Change(alert, True, summary)


def ended(alert: Alert = Alert.MEMORY_HARD) -> Change:
    return Change(alert, False, "over")


def test_an_alert_is_told_once_while_it_fires() -> None:
    book = Book(PACE)
    assert told(book, firing(), START) == [("memory_hard", "firing")]
    assert told(book, firing(), START + MINUTE) == []


def test_its_end_is_told_once() -> None:
    book = Book(PACE)
    told(book, firing(), START)
    assert told(book, ended(), START + MINUTE) == [("memory_hard", "resolved")]
    assert told(book, ended(), START + MINUTE) == []


def test_what_never_fired_is_not_ended() -> None:
    assert told(Book(PACE), ended(), START) == []


def test_it_is_told_again_with_the_newest_words() -> None:
    book = Book(PACE)
    told(book, firing(summary="old"), START)
    told(book, firing(summary="new"), START + MINUTE)
    assert book.due(START + REPEAT - MINUTE) == []
    messages = book.due(START + REPEAT)
    assert [(each.status, each.summary) for each in messages] == [("repeated", "new")]
    assert messages[0].since == "2026-01-31T00:00:00.000Z"
    assert book.due(START + REPEAT + MINUTE) == []


def test_what_is_kept_goes_on_without_a_new_message() -> None:
    book = Book(PACE)
    told(book, firing(), START)
    again = Book(PACE, book.rows)
    assert told(again, firing(), START + MINUTE) == []
    assert told(again, ended(), START + MINUTE) == [("memory_hard", "resolved")]


def test_what_is_over_before_its_hold_is_never_told() -> None:
    book = Book(PACE)
    assert told(book, firing(Alert.ENGINE_DOWN), START) == []
    assert book.due(START + timedelta(seconds=59)) == []
    assert told(book, ended(Alert.ENGINE_DOWN), START + timedelta(seconds=59)) == []


def test_what_lasts_longer_than_its_hold_is_told() -> None:
    book = Book(PACE)
    told(book, firing(Alert.ENGINE_DOWN), START)
    assert [each.status for each in book.due(START + timedelta(seconds=60))] == ["firing"]


def test_what_something_graver_says_already_is_not_told_beside_it() -> None:
    book = Book(PACE)
    assert told(book, firing(Alert.SUPERVISOR_FAILED), START) == [("supervisor_failed", "firing")]
    assert told(book, firing(Alert.RESTART_LOOP), START) == []
    assert told(book, firing(Alert.ENGINE_DOWN), START) == []
    assert book.due(START + MINUTE) == []
    assert told(book, ended(Alert.SUPERVISOR_FAILED), START + MINUTE) == [
        ("supervisor_failed", "resolved"),
        ("restart_loop", "firing"),
        ("engine_down", "firing"),
    ]


def test_a_clock_that_was_set_back_does_not_silence_an_alert() -> None:
    book = Book(PACE)
    told(book, firing(), START)
    assert [each.status for each in book.due(START - timedelta(days=1))] == ["repeated"]


def test_an_alert_of_another_version_is_forgotten() -> None:
    book = Book(PACE)
    told(book, firing(), START)
    unknown = book.rows[0].__class__("unknown", "error", "", {}, book.rows[0].since, "")
    assert [row.name for row in Book(PACE, (unknown, *book.rows)).rows] == ["memory_hard"]


STEPS = st.lists(
    st.tuples(st.sampled_from(Alert), st.booleans(), st.integers(0, 400)), max_size=60
)  # alert, fires, minutes that pass


@given(STEPS)
def test_messages_of_an_alert_begin_with_firing_and_end_with_resolved(
    steps: list[tuple[Alert, bool, int]],
) -> None:
    book, now = Book(PACE), START
    open_: dict[str, datetime] = {}
    for alert, fires, minutes in steps:
        now += timedelta(minutes=minutes)
        for message in book.change(Change(alert, fires, ""), now):
            if message.status == "firing":
                assert message.alert not in open_
                assert SAID_BY.get(Alert(message.alert)) not in {row.name for row in book.rows}
            else:
                assert message.alert in open_
            if message.status == "resolved":
                del open_[message.alert]
            else:
                assert now - open_.get(message.alert, START - REPEAT) >= REPEAT
                open_[message.alert] = now
    assert set(open_) <= {row.name for row in book.rows}
