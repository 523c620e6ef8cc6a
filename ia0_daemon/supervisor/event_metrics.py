"""The metrics of events and alerts.

Owns their names, help texts and labels. Never counts anything itself.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class EventMetrics:
    """Counters of events and of messages, and which alerts fire."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "ia0_events", "Events, by kind and severity.", ("kind", "severity"), registry=registry
        )
        self.lost = Counter(
            "ia0_events_unwritten",
            "Events that are in the log alone, by reason (queue_full, history_broken).",
            ("reason",),
            registry=registry,
        )
        self.firing = Gauge("ia0_alert_firing", "1 while the alert fires.", ("alert",), registry=registry)
        self.messages = Counter(
            "ia0_alert_messages",
            "Messages of alerts, by sink (webhook, command) and result (delivered, failed).",
            ("sink", "result"),
            registry=registry,
        )
