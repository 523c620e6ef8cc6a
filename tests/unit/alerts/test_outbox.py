"""Messages on their way: a dead sink holds nobody, grows nothing, and gets the newest words in the end."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.outbox import Outbox
from tests.unit.alerts.conftest import Notebook
from tests.unit.conftest import Eventually

Told = list[tuple[str, str | None]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def outbox(notebook: Notebook, told: Told) -> Outbox:
    return Outbox(notebook, lambda _, message, error: told.append((message.alert, error)), 0.02)


def test_messages_are_sent_in_their_order(
    outbox: Outbox, notebook: Notebook, message: Message, eventually: Eventually
) -> None:
    outbox.put(replace(message, alert="disk_low"))
    outbox.put(message)
    outbox.start()
    eventually(lambda: len(notebook.messages) == 2)
    assert [name for name, _ in notebook.told] == ["disk_low", "memory_hard"]
    assert outbox.stop(20) == []


def test_a_message_takes_the_place_of_the_older_one_of_its_alert(
    outbox: Outbox, notebook: Notebook, message: Message, eventually: Eventually
) -> None:
    outbox.put(message)
    outbox.put(replace(message, status="resolved"))
    outbox.start()
    assert outbox.stop(20) == []
    assert notebook.told == [("memory_hard", "resolved")]


def test_a_failed_message_is_tried_again(
    outbox: Outbox, notebook: Notebook, message: Message, told: Told, eventually: Eventually
) -> None:
    notebook.error = "gone"
    outbox.put(message)
    outbox.start()
    eventually(lambda: len(told) >= 2)
    notebook.error = ""
    eventually(lambda: notebook.messages == [message])
    eventually(lambda: told[-1] == ("memory_hard", None))
    assert {error for _, error in told[:-1]} == {"gone"}
    assert outbox.stop(20) == []


def test_a_defect_of_a_sink_ends_nothing(
    outbox: Outbox,
    notebook: Notebook,
    message: Message,
    told: Told,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = notebook.send
    monkeypatch.setattr(notebook, "send", None)
    outbox.put(message)
    outbox.start()
    eventually(lambda: told)
    assert told[0] == ("memory_hard", "TypeError")
    monkeypatch.setattr(notebook, "send", real)
    eventually(lambda: notebook.messages == [message])
    outbox.stop(20)


def test_putting_does_not_wait_for_a_sink_that_hangs(
    outbox: Outbox, notebook: Notebook, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, go_on = threading.Event(), threading.Event()

    def hang(_: Message) -> str:
        hanging.set()
        go_on.wait(20)
        return ""

    monkeypatch.setattr(notebook, "send", hang)
    outbox.start()
    outbox.put(message)
    assert hanging.wait(20)
    for number in range(1000):
        outbox.put(replace(message, summary=str(number)))
    assert [each.summary for each in outbox.stop(0)] == ["999"]
    go_on.set()
    outbox.stop(20)


def test_what_could_not_be_sent_is_given_back(
    outbox: Outbox, notebook: Notebook, message: Message, told: Told, eventually: Eventually
) -> None:
    notebook.error = "gone"
    outbox.start()
    outbox.put(message)
    eventually(lambda: told)
    assert outbox.stop(20) == [message]
