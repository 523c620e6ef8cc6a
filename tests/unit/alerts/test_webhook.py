"""The webhook: what is posted, how often it is tried, and that its address is shown nowhere."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ia0_daemon.alerts import webhook as module
from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.sink_error import SinkError
from ia0_daemon.alerts.webhook import Webhook
from ia0_daemon.settings.schema import Alerts
from ia0_daemon.settings.units import Seconds
from tests.unit.alerts.conftest import SECRET, Receiver

Send = Callable[..., str]


@pytest.fixture
def send(receiver: Receiver, message: Message, monkeypatch: pytest.MonkeyPatch) -> Send:
    monkeypatch.setattr(module, "BACKOFF_FACTOR", 0)

    def send(url: str | None = None, attempts: int = 4, **settings: object) -> str:
        alerts = Alerts(webhook_url=receiver.url if url is None else url, **settings)  # type: ignore[arg-type]
        return Webhook(alerts, attempts).send(message)

    return send


def test_every_field_is_posted(send: Send, receiver: Receiver, message: Message) -> None:
    assert send() == f"200 from http://127.0.0.1:{receiver.port}/..."
    assert receiver.bodies == [
        {
            "alert": "memory_hard",
            "status": "firing",
            "severity": "error",
            "summary": "Held 90 % <of> it & more.",
            "host": socket.gethostname(),
            "since": message.since,
            "at": message.at,
            "details": {"a": 1},
            "text": message.text(),
        }
    ]


def test_slack_gets_its_text_without_markup(send: Send, receiver: Receiver) -> None:
    send(webhook_format="slack")
    told = f"[ERROR] {socket.gethostname()}: memory_hard: Held 90 % &lt;of&gt; it &amp; more."
    assert receiver.bodies == [{"text": told}]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(send: Send, receiver: Receiver, status: int) -> None:
    receiver.answers = [status, status, 204]
    send()
    assert len(receiver.bodies) == 3


def test_attempts_are_bounded(send: Send, receiver: Receiver) -> None:
    receiver.answers = [500]
    with pytest.raises(SinkError, match=r"/\.\.\. answered 500: ok"):
        send(attempts=3)
    assert len(receiver.bodies) == 3


@pytest.mark.parametrize("status", [301, 400, 404])
def test_what_a_server_refuses_is_not_asked_again(send: Send, receiver: Receiver, status: int) -> None:
    receiver.answers, receiver.headers = [status], {"Location": receiver.url}
    with pytest.raises(SinkError, match=f"answered {status}"):
        send()
    assert len(receiver.bodies) == 1


def test_a_server_that_asks_for_long_patience_does_not_get_it(
    send: Send, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0)
    receiver.answers, receiver.headers = [503, 200], {"Retry-After": "86400"}
    send()
    assert len(receiver.bodies) == 2


def test_a_slow_server_is_given_up(send: Send, receiver: Receiver) -> None:
    receiver.held = threading.Event()
    with pytest.raises(SinkError, match="did not answer in time"):
        send(attempts=1, webhook_timeout_s=Seconds(0.1))


def test_a_server_that_is_not_there_is_said(send: Send) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(SinkError, match="refused the connection"):
            send(f"http://127.0.0.1:{unheard.getsockname()[1]}{SECRET}", attempts=2)


def test_the_address_is_in_no_error_and_no_log(
    send: Send, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers, receiver.body = [500], "no such hook: PATH"
    with caplog.at_level(logging.DEBUG), pytest.raises(SinkError) as raised:
        send()
    assert "no such hook: (hidden)" in str(raised.value)
    with caplog.at_level(logging.DEBUG), pytest.raises(SinkError) as unreached:
        send(f"http://user:geheim@127.0.0.1:1{SECRET}")
    told = f"{raised.value} {unreached.value} {caplog.text}"
    assert not [secret for secret in ("verysecret", "alsosecret", "geheim") if secret in told]


def test_the_address_may_stand_in_a_file_and_change(send: Send, receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "url"
    with pytest.raises(SinkError, match="No such file"):
        send("", webhook_url_file=str(file))
    file.write_text("not an address\n")
    with pytest.raises(SinkError, match="does not hold one"):
        send("", webhook_url_file=str(file))
    file.write_text(receiver.url + "\n")
    send("", webhook_url_file=str(file))
    assert len(receiver.bodies) == 1
