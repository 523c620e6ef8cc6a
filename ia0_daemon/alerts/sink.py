"""Where messages go: what a sink is, and which ones are configured.

Owns the choice of sinks. Never sends anything itself.

    sinks_of(settings.alerts) -> (Webhook, Command)
"""

from __future__ import annotations

from typing import Protocol

from ia0_daemon.alerts.command import Command
from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.webhook import Webhook
from ia0_daemon.settings.schema import Alerts


class Sink(Protocol):
    """Somewhere that messages go. `send` takes as long as it is allowed to and raises `SinkError`."""

    @property
    def name(self) -> str:
        """What it is called in events, metrics and on the command line."""
        ...

    def send(self, message: Message) -> str:
        """Deliver a message; gives what came back, in a few words."""
        ...


def sinks_of(settings: Alerts, attempts: int | None = None) -> tuple[Sink, ...]:
    """The sinks that are configured. `attempts` bounds those of one message, where a person waits for it."""
    sinks: list[Sink] = []
    if settings.webhook_url or settings.webhook_url_file:
        sinks.append(Webhook(settings) if attempts is None else Webhook(settings, attempts))
    if settings.command:
        sinks.append(Command(settings.command, settings.command_timeout_s))
    return tuple(sinks)
