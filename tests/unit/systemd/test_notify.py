"""What systemd is told, and that nothing is told without it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ia0_daemon.systemd.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """The other end, at both kinds of addresses."""
    name = str(tmp_path / "notify") if request.param == "path" else f"\0ia0-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.settimeout(5)
        yield sock


def at(sock: socket.socket, **environ: str) -> Notifier:
    name = sock.getsockname()
    text = name if isinstance(name, str) else "@" + name[1:].decode()
    return Notifier.from_environment({"NOTIFY_SOCKET": text, **environ})


def heard(sock: socket.socket) -> list[str]:
    return sock.recv(4096).decode().split("\n")


def test_it_says_ready_stopping_and_the_status(systemd: socket.socket) -> None:
    notifier = at(systemd)
    notifier.ready("serves 127.0.0.1:8080")
    assert heard(systemd) == ["READY=1", "STATUS=serves 127.0.0.1:8080"]
    notifier.stopping("2 answers are under way")
    assert heard(systemd) == ["STOPPING=1", "STATUS=2 answers are under way"]
    notifier.more_time(1.5)
    assert heard(systemd) == ["EXTEND_TIMEOUT_USEC=1500000"]


def test_a_reload_carries_its_time(systemd: socket.socket) -> None:
    at(systemd).reloading()
    reloading, since = heard(systemd)
    assert reloading == "RELOADING=1"
    assert re.fullmatch(r"MONOTONIC_USEC=\d{4,}", since)


def test_a_status_is_one_line_and_sent_once(systemd: socket.socket) -> None:
    notifier = at(systemd)
    notifier.status("a\nREADY=1")
    notifier.status("a\nREADY=1")
    notifier.status("b")
    assert heard(systemd) == ["STATUS=a READY=1"]
    assert heard(systemd) == ["STATUS=b"]


def test_the_watchdog_is_fed_three_times_in_its_time(systemd: socket.socket) -> None:
    notifier = at(systemd, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid()))
    assert notifier.alive_interval_s == 10
    notifier.alive()
    assert heard(systemd) == ["WATCHDOG=1"]


def test_the_watchdog_of_another_process_is_not_fed(systemd: socket.socket) -> None:
    notifier = at(systemd, WATCHDOG_USEC="30000000", WATCHDOG_PID="1")
    notifier.alive()
    notifier.status("next")
    assert notifier.alive_interval_s == float("inf")
    assert heard(systemd) == ["STATUS=next"]


def test_the_variables_are_taken_away() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    Notifier.from_environment(environ)
    assert environ == {"PATH": "/bin"}


def test_without_systemd_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)  # whoever sends fails
    notifier = Notifier.from_environment({})
    notifier.ready("x")
    notifier.reloading()
    notifier.alive()
    notifier.stopping("x")


def test_nobody_at_the_other_end_is_logged_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Notifier(str(tmp_path / "nobody")).ready("x")
    assert "systemd cannot be told" in caplog.text
