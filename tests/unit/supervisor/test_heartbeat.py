"""It beats only while ticks are recent and the real listener answers."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask, Response

from ia0_daemon.gateway.listener import Listener
from ia0_daemon.supervisor.heartbeat import Heartbeat
from tests.engine_process import free_port
from tests.unit.supervisor.restart_fakes import until


@dataclass
class Case:
    """A heart, a listener, and when the last tick was."""

    url: str
    status: int = 200
    ticked_at: float = field(default_factory=time.monotonic)
    beats: int = 0

    def heart(self, interval_s: float = 3600.0, url: str = "") -> Heartbeat:
        return Heartbeat(url or self.url, lambda: self.ticked_at, self.beat, interval_s, 60.0)

    def beat(self) -> None:
        self.beats += 1


@pytest.fixture
def case() -> Iterator[Case]:
    app = Flask(__name__)
    sock = socket.create_server(("127.0.0.1", 0))
    listener = Listener(app, sock, threads=1, connections=10, body_bytes=1000, refused=lambda _: None)
    made = Case(f"http://127.0.0.1:{listener.port}/health/live")
    app.add_url_rule("/health/live", view_func=lambda: Response(status=made.status))
    listener.start()
    yield made
    listener.stop()


def test_it_beats_where_tick_and_listener_are_alive(case: Case) -> None:
    heart = case.heart()
    assert heart.try_once() == ""
    assert case.beats == 1
    assert time.monotonic() - heart.beat_at < 60
    heart.stop()


def test_an_old_tick_stops_it(case: Case) -> None:
    case.ticked_at -= 61
    heart = case.heart()
    assert re.search(r"sample is 6\d s old; 60 s are allowed", heart.try_once())
    assert case.beats == 0
    heart.pace(3600, 120)
    assert heart.try_once() == ""
    heart.stop()


def test_no_tick_at_all_stops_it(case: Case) -> None:
    case.ticked_at = float("-inf")
    heart = case.heart()
    assert heart.try_once()
    heart.stop()


def test_a_listener_that_is_gone_stops_it(case: Case) -> None:
    heart = case.heart(url=f"http://127.0.0.1:{free_port()}/health/live")
    assert "does not answer" in heart.try_once()
    assert case.beats == 0
    heart.stop()


def test_a_listener_that_is_not_well_stops_it(case: Case) -> None:
    case.status = 503
    heart = case.heart()
    assert heart.try_once().endswith("says 503")
    heart.stop()


def test_a_listener_that_has_no_place_for_it_is_alive(case: Case) -> None:
    port = int(case.url.split(":")[2].split("/")[0])
    crowd = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(10)]
    heart = case.heart()
    assert heart.try_once() == ""
    heart.stop()
    for sock in crowd:
        sock.close()


def test_a_heart_in_a_crowd_keeps_its_connection(case: Case) -> None:
    port = int(case.url.split(":")[2].split("/")[0])
    heart = case.heart()
    assert heart.try_once() == ""
    crowd = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(10)]
    case.status = 418
    assert heart.try_once().endswith("says 418")
    heart.stop()
    for sock in crowd:
        sock.close()


def test_it_begins_again_when_all_is_well_again(case: Case) -> None:
    case.status = 503
    heart = case.heart(interval_s=0.02)
    heart.start()
    case.status = 200
    until(lambda: case.beats > 1)
    heart.stop()
    assert not heart._thread.is_alive()
