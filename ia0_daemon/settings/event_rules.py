"""The rules about the history and the alerts: where they go must be a place.

Owns what is refused of the sections `events` and `alerts`. Never opens a file
and never calls a webhook: `ia0 alerts test` does.

    EVENT_RULES: each takes Settings and yields Findings
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from ia0_daemon.settings.findings import Finding, Rule
from ia0_daemon.settings.schema import Settings


def event_paths_are_absolute(settings: Settings) -> Iterator[Finding]:
    """The daemon and the command run in different folders."""
    if not _is_file(settings.events.path):
        yield Finding("events.path", settings.events.path, "is not an absolute path of a file")
    if settings.alerts.webhook_url_file and not _is_file(settings.alerts.webhook_url_file):
        rule = "is not an absolute path of a file"
        yield Finding("alerts.webhook_url_file", settings.alerts.webhook_url_file, rule)


def webhook_is_an_address(settings: Settings) -> Iterator[Finding]:
    """What is no address would be found out when the first alert is lost. The value is never shown."""
    url = settings.alerts.webhook_url
    if url and not is_webhook(url):
        yield Finding("alerts.webhook_url", None, "is not an http:// or https:// address with a host")


def webhook_has_one_place(settings: Settings) -> Iterator[Finding]:
    """Of two addresses one would silently be ignored."""
    alerts = settings.alerts
    if alerts.webhook_url and alerts.webhook_url_file:
        rule = "is set beside alerts.webhook_url; unset one"
        yield Finding("alerts.webhook_url_file", alerts.webhook_url_file, rule, ("alerts.webhook_url",))


def alert_command_is_a_program(settings: Settings) -> Iterator[Finding]:
    """The daemon's PATH is not the operator's, and there is no shell that would split a line."""
    command = settings.alerts.command
    if command and not _is_file(command[0]):
        rule = 'does not begin with an absolute path; write ["/path/of/program", "argument"]'
        yield Finding("alerts.command", command[0], rule)
    if any("\0" in part for part in command[1:]):
        yield Finding("alerts.command", None, "holds a zero byte, which no argument can")


def is_webhook(url: str) -> bool:
    """Whether a text is an address that alerts can be posted to."""
    if any(character.isspace() or not character.isprintable() for character in url):
        return False
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and has_port


def _is_file(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.is_absolute() and bool(pure.name) and ".." not in pure.parts and "\0" not in path


EVENT_RULES: tuple[Rule, ...] = (
    event_paths_are_absolute,
    webhook_is_an_address,
    webhook_has_one_place,
    alert_command_is_a_program,
)
