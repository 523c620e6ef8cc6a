"""A test alert to every sink, for whoever wants to know whether alerts arrive.

Owns the test message and the form of its result. Never touches the alerts that fire.
"""

from __future__ import annotations

from collections.abc import Iterable

from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.sink import Sink
from ia0_daemon.alerts.sink_error import SinkError
from ia0_daemon.clock import timestamp


def try_sinks(sinks: Iterable[Sink]) -> list[dict[str, object]]:
    """Send to one sink after the other; for each its name, whether it took the message, and its answer."""
    return [_tried(sink) for sink in sinks]


def _tried(sink: Sink) -> dict[str, object]:
    at = timestamp()
    summary = "This is a test: alerts of this host arrive here."
    message = Message("test", "test", "info", summary, since=at, at=at)
    try:
        return {"sink": sink.name, "ok": True, "answer": sink.send(message)}
    except SinkError as error:
        return {"sink": sink.name, "ok": False, "answer": str(error)}
