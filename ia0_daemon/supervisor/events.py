"""One event: what happened, in a sentence and in figures.

Owns the shape and the bounds of an event. Never stores one (`event_store.py` does).

    Event.now(Kind.DRAIN, "an operator closed the gate", by="cli") -> recorder.record(event)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from ia0_daemon.clock import timestamp
from ia0_daemon.supervisor.event_kinds import SEVERITIES, Kind, Severity, usual_severity

# An event is read by a person; what is longer belongs into a log of its own.
LONGEST_SUMMARY = 500
LONGEST_DETAILS_BYTES = 16 * 1024


@dataclass(frozen=True)
class Event:
    """Something that happened. `at` is RFC 3339 in UTC; `details` hold what JSON can say."""

    at: str
    kind: str
    severity: Severity
    summary: str
    details: dict[str, object] = field(default_factory=dict)

    @classmethod
    def now(cls, kind: Kind, summary: str, severity: Severity | None = None, /, **details: object) -> Event:
        """An event of this moment, as grave as its kind usually is unless `severity` says otherwise."""
        return cls(timestamp(), str(kind), severity or usual_severity(kind), summary, details)

    def bounded(self) -> Event:
        """The same with a summary and details that are not longer than an event may be."""
        summary = " ".join(_writable(self.summary).split())[:LONGEST_SUMMARY]
        severity = self.severity if self.severity in SEVERITIES else "error"
        details = msgspec.json.decode(details_json(self.details))
        return Event(_writable(self.at), _writable(self.kind), severity, summary, details)


class Recorder(Protocol):
    """Takes events. `record` neither raises nor waits: a remedy must not hang on its history."""

    def record(self, event: Event) -> None:
        """Keep an event."""
        ...


def details_json(details: dict[str, object]) -> str:
    """Details as JSON; what JSON cannot say is told by its `repr`, what is too long is left out by name."""
    text = _encoded(details)
    if len(text) <= LONGEST_DETAILS_BYTES:
        return text
    return _encoded({"too_long_bytes": len(text), "keys": [str(key)[:50] for key in list(details)[:50]]})


def _encoded(details: dict[str, object]) -> str:
    try:
        return msgspec.json.encode(details, enc_hook=repr).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        # Keys that are no texts, integers beyond 64 bits, or a thing that holds itself.
        return msgspec.json.encode({"unwritable": repr(details)[:1000]}).decode()


def _writable(text: object) -> str:
    """A text without what UTF-8 cannot say: names of files may hold it."""
    return str(text).encode("utf-8", "replace").decode()
