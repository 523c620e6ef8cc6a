"""What a sink is given: one alert's message, as JSON and as Slack wants it.

Owns the shape of the payload. Never sends it.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Literal

from ia0_daemon.supervisor.event_kinds import Severity

Status = Literal["firing", "repeated", "resolved", "test"]

# Of Slack's message text; more is cut by Slack in the middle of a word.
LONGEST_TEXT = 3000


@dataclass(frozen=True)
class Message:
    """One message about one alert. Times are RFC 3339 in UTC."""

    alert: str
    status: Status
    severity: Severity
    summary: str
    since: str
    at: str
    host: str = field(default_factory=socket.gethostname)
    details: dict[str, object] = field(default_factory=dict)

    def payload(self) -> dict[str, object]:
        """Every field, for the generic webhook and for the command. `text` is there for people."""
        return {
            "alert": self.alert,
            "status": self.status,
            "severity": self.severity,
            "summary": self.summary,
            "host": self.host,
            "since": self.since,
            "at": self.at,
            "details": self.details,
            "text": self.text(),
        }

    def slack(self) -> dict[str, object]:
        """What Slack's incoming webhooks and those that copy them take."""
        # The three characters that Slack reads as markup, so that a summary cannot mention @channel or link.
        text = self.text().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": text[:LONGEST_TEXT]}

    def text(self) -> str:
        """One line for a person."""
        word = {"firing": self.severity.upper(), "repeated": f"STILL {self.severity.upper()}"}.get(
            self.status, self.status.upper()
        )
        since = f" (since {self.since})" if self.status in {"repeated", "resolved"} else ""
        return f"[{word}] {self.host}: {self.alert}: {self.summary}{since}"
