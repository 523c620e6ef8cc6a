"""A message posted to a webhook.

Owns the request, its bounded retries, and that the address is shown nowhere:
who has the address of a chat's webhook can write into the chat. Never queues.

    send(message) -> read the address -> POST, again after 1, 2, 4 s -> "200 OK", or SinkError
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from ia0_daemon import __version__
from ia0_daemon.alerts.message import Message
from ia0_daemon.alerts.sink_error import SinkError
from ia0_daemon.settings.event_rules import is_webhook
from ia0_daemon.settings.schema import Alerts

ATTEMPTS = 4
# Pauses of 0, 2, 4 s between the attempts; a server may ask for more, but not for minutes.
BACKOFF_FACTOR = 1.0
LONGEST_PAUSE_S = 30
# What a server may say while it is only busy or being restarted.
TRY_AGAIN = (408, 429, 500, 502, 503, 504)
# Of the answer that is told to a person.
ANSWER_BYTES = 300


class Webhook:
    """The configured webhook."""

    name = "webhook"

    def __init__(self, settings: Alerts, attempts: int = ATTEMPTS) -> None:
        self._settings = settings
        self._attempts = attempts
        # urllib3 writes whole paths into its log, and this one's path is its password.
        for logger in ("urllib3.connectionpool", "urllib3.util.retry"):
            logging.getLogger(logger).setLevel(logging.ERROR)

    def send(self, message: Message) -> str:
        """Post a message; anything but a 2xx after all attempts is a `SinkError`."""
        url = self._url()
        slack = self._settings.webhook_format == "slack"
        try:
            status, answer = self._post(url, message.slack() if slack else message.payload())
        except (requests.RequestException, ValueError) as error:
            raise SinkError(f"{_shown(url)}: {_reason(error)}") from None
        if not 200 <= status < 300:  # what HTTP calls success
            raise SinkError(f"{_shown(url)} answered {status}: {_without(url, answer)}")
        return f"{status} from {_shown(url)}"

    def _url(self) -> str:
        if not self._settings.webhook_url_file:
            return self._settings.webhook_url
        try:
            url = Path(self._settings.webhook_url_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise SinkError(f"alerts.webhook_url_file: {self._settings.webhook_url_file}: {reason}") from None
        if not is_webhook(url):
            rule = "does not hold one http:// or https:// address"
            raise SinkError(f"alerts.webhook_url_file: {self._settings.webhook_url_file} {rule}")
        return url

    def _post(self, url: str, payload: dict[str, object]) -> tuple[int, str]:
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=self._retry()))
            session.mount("https://", HTTPAdapter(max_retries=self._retry()))
            response = session.post(
                url,
                json=payload,
                headers={"User-Agent": f"ia0/{__version__}"},
                timeout=float(self._settings.webhook_timeout_s),
                # A redirect would carry the message, and the address' secret, to another place.
                allow_redirects=False,
                stream=True,
            )
            with response:
                return response.status_code, _beginning(response)

    def _retry(self) -> Retry:
        return Retry(
            total=self._attempts - 1,
            redirect=0,
            status_forcelist=TRY_AGAIN,
            allowed_methods=None,
            backoff_factor=BACKOFF_FACTOR,
            backoff_max=LONGEST_PAUSE_S,
            retry_after_max=LONGEST_PAUSE_S,
            raise_on_status=False,
        )


def _beginning(response: requests.Response) -> str:
    """The first bytes of an answer, which may be endless."""
    raw = response.raw.read(ANSWER_BYTES, decode_content=True)
    return " ".join(raw.decode("utf-8", "replace").split())


def _shown(url: str) -> str:
    """An address without what may be secret: user, password, path and query."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}/..."


def _without(url: str, text: str) -> str:
    """An answer that quotes the address is shown without it."""
    parts = urlsplit(url)
    secrets = [url, f"{parts.path}?{parts.query}", parts.path, parts.query, parts.password or ""]
    for secret in secrets:
        if len(secret) > 1:
            text = text.replace(secret, "(hidden)")
    return text or "nothing"


def _reason(error: Exception) -> str:
    """What went wrong, in words of ours: those of requests quote the address."""
    text = repr(error)
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted, or it does not speak TLS"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in text:
        return "did not answer in time"
    if re.search(r"Name or service not known|NameResolution|getaddrinfo", text):
        return "its host name is not known"
    if "refused" in text:
        return "refused the connection"
    return f"could not be reached ({type(error).__name__})"
