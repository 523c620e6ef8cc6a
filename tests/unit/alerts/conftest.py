"""A real webhook, a real program, and a desk between a history and them."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from ia0_daemon.alerts.desk import AlertDesk
from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.sink import Sink
from ia0_daemon.alerts.sink_error import SinkError
from ia0_daemon.settings.schema import Alerts, Settings
from ia0_daemon.supervisor.event_metrics import EventMetrics
from ia0_daemon.supervisor.event_rows import Keep
from ia0_daemon.supervisor.event_store import EventStore

SECRET = "/services/T000/B000/verysecret"


@dataclass
class Receiver:
    """What came to a webhook, and what it answers next; the last answer is repeated."""

    port: int = 0
    answers: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    body: str = "ok"
    held: threading.Event | None = None
    bodies: list[dict[str, object]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{SECRET}?token=alsosecret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if told.held is not None:
                told.held.wait(20)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.answer()

        def answer(self) -> None:
            self.send_response(told.answers.pop(0) if len(told.answers) > 1 else told.answers[0])
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told.body.replace("PATH", self.path).encode())

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield told
    if told.held is not None:
        told.held.set()
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Clock:
    """A time of day that goes on when it is told to."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class Notebook:
    """A sink that writes down what it gets, and fails when it is told to."""

    name: str = "notebook"
    messages: list[Message] = field(default_factory=list)
    error: str = ""

    def send(self, message: Message) -> str:
        if self.error:
            raise SinkError(self.error)
        self.messages.append(message)
        return "noted"

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(message.alert, message.status) for message in self.messages]


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def message() -> Message:
    at = "2026-01-31T08:00:00.000Z"
    return Message("memory_hard", "firing", "error", "Held 90 % <of> it & more.", at, at, details={"a": 1})


@dataclass
class Office:
    """A desk with its history, its clock and its sink."""

    desk: AlertDesk
    store: EventStore
    registry: CollectorRegistry


Opened = Callable[..., Office]


def settings_with(**changes: object) -> Settings:
    settings = Settings()
    return msgspec.structs.replace(settings, alerts=msgspec.structs.replace(Alerts(), **changes))


@pytest.fixture
def office(tmp_path: Path, clock: Clock, notebook: Notebook) -> Iterator[Opened]:
    """Open a desk over one history; opening again is the daemon's restart."""
    opened: list[Office] = []

    def close() -> None:
        while opened:
            last = opened.pop()
            last.desk.stop()
            last.store.stop()

    def office(sinks: Callable[[Alerts], tuple[Sink, ...]] | None = None, **changes: object) -> Office:
        close()
        registry = CollectorRegistry()
        metrics = EventMetrics(registry)
        store = EventStore(tmp_path / "events.db", Keep(1000, 86400 * 365), metrics)
        store.start()
        assert store.flush(20)
        desk = AlertDesk(
            settings_with(**changes), store, metrics, now=clock, sinks=sinks or (lambda _: (notebook,))
        )
        desk.start()
        opened.append(Office(desk, store, registry))
        return opened[-1]

    yield office
    close()
