"""The Valkey or Redis in which daemons share kept answers, as this daemon sees it: there, or away for now.

Owns the connections, the address and the pause after a failure. Never knows
what a value means, and never raises for a store that is away: then nothing is
found and nothing is kept, which is said once in the log, and once when it is
back.

    open_store(settings) -> AnswerStore; get/put -> (away? no) -> one command -> note the outcome

After a failure nobody asks for `PAUSE_S`; then one request tries, and the
others go on without until it knows.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from ia0_daemon.gateway.breaker import Breaker, Rule
from ia0_daemon.settings.gateway_rules import STORE_SCHEMES, is_store_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from valkey import Valkey

    from ia0_daemon.settings.schema import Shared

log = logging.getLogger(__name__)

# With the default shared.timeout_s one request in 5 s waits a quarter of a second for a store that is away.
PAUSE_S = 5.0
# What an address may say behind its "?": the rest is this daemon's to choose.
OPTIONS = frozenset(
    {
        "db",
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
    }
)
TLS_SCHEMES = ("valkeys", "rediss")


class StoreError(Exception):
    """The address of the store cannot be used; the sentence names the setting and never the address."""


def open_store(settings: Shared) -> AnswerStore | None:
    """Make the store of the settings, without connecting; none where none is set. Raises `StoreError`."""
    url = store_url(settings)
    return AnswerStore(_client(settings, url), settings.prefix, shown(url)) if url else None


def store_url(settings: Shared) -> str:
    """Give the address that `shared.url` or its file holds; empty: none. Raises `StoreError`."""
    if not settings.url_file:
        return settings.url
    try:
        url = Path(settings.url_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise StoreError(f"shared.url_file: {settings.url_file}: {reason}") from None
    if "\n" in url or not is_store_url(url):
        schemes = ", ".join(f"{scheme}://" for scheme in STORE_SCHEMES)
        raise StoreError(f"shared.url_file: {settings.url_file} does not hold one address of {schemes}")
    return url


def shown(url: str) -> str:
    """Give host and port of an address, which a log may show."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or 6379}"


class AnswerStore:
    """Values under keys that end by themselves. Safe to use from many threads."""

    def __init__(
        self, client: Valkey, prefix: str, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._prefix = prefix.encode()
        self._name = name
        # Two, since a store that is full refuses to keep and still gives.
        self._reach = _Reach("the shared store of answers", "answer_store", name, clock)
        self._keeping = _Reach("keeping in the shared store of answers", "answer_store_keeping", name, clock)

    @property
    def is_there(self) -> bool:
        """Whether it answered when it was last asked."""
        return self._reach.is_there

    def get(self, kind: str, key: bytes) -> bytes | None:
        """Give what is kept under a key; none where there is nothing, or the store is away."""
        if not self._reach.may_try():
            return None
        try:
            value = self._client.get(self._full(kind, key))
        except _failures() as error:
            self._reach.failed(error)
            return None
        self._reach.succeeded()
        return value if isinstance(value, bytes) else None

    def put(self, kind: str, key: bytes, value: bytes, max_age_s: float) -> bool:
        """Keep a value for so long; false where the store is away or refuses."""
        if not self._keeping.may_try():
            return False
        if not self._reach.may_try():
            self._keeping.gave_up()
            return False
        try:
            self._client.set(self._full(kind, key), value, px=max(1, round(max_age_s * 1000)))
        except _refusals() as error:
            self._reach.succeeded()
            self._keeping.failed(error)
            return False
        except _failures() as error:
            self._keeping.gave_up()
            self._reach.failed(error)
            return False
        self._reach.succeeded()
        self._keeping.succeeded()
        return True

    def close(self) -> None:
        """Close the connections."""
        self._client.connection_pool.disconnect()

    def _full(self, kind: str, key: bytes) -> bytes:
        return b":".join((self._prefix, kind.encode(), key.hex().encode()))


class _Reach:
    """Whether something works, told once when it no longer does and once when it does again."""

    def __init__(self, what: str, event: str, name: str, clock: Callable[[], float]) -> None:
        self._what, self._event, self._name = what, event, name
        self._clock = clock
        self._lock = threading.Lock()
        self._breaker = Breaker()
        self._rule = Rule(failures=1, open_s=PAUSE_S)

    @property
    def is_there(self) -> bool:
        return self._breaker.opened is None

    def may_try(self) -> bool:
        if self.is_there:  # the usual case needs no lock
            return True
        with self._lock:
            return self._breaker.allows(self._rule, self._clock())

    def succeeded(self) -> None:
        if self.is_there:
            return
        with self._lock:
            came_back = self._breaker.succeeded(self._rule, self._clock())
        if came_back:
            told = {"event": f"{self._event}_back", "store": self._name}
            log.info("%s works again", self._what, extra=told)

    def failed(self, error: Exception) -> None:
        with self._lock:
            was_there = self.is_there
            self._breaker.failed(self._rule, self._clock())
        if was_there:
            told = {"event": f"{self._event}_away", "store": self._name, "error": str(error)}
            log.warning("%s does not work; this daemon goes on alone", self._what, extra=told)

    def gave_up(self) -> None:
        with self._lock:
            self._breaker.gave_up()


def _client(settings: Shared, url: str) -> Valkey:
    """Make the client, whose pool connects when it is first used."""
    from valkey import ConnectionPool, Valkey  # 7 MB of modules (measured) that few need

    setting = "shared.url_file" if settings.url_file else "shared.url"
    try:
        pool = ConnectionPool.from_url(url, **_bounds(settings, url, setting))  # type: ignore[no-untyped-call]
        pool.connection_class(**pool.connection_kwargs)  # what it cannot be made with, it says now
    except _failures() as error:
        raise StoreError(f"{setting}: cannot be used: {error}") from None
    return Valkey(connection_pool=pool)


def _bounds(settings: Shared, url: str, setting: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = options.keys() - OPTIONS
    if unknown:
        rule = f"takes no {', '.join(sorted(unknown))} behind its `?`, but {', '.join(sorted(OPTIONS))}"
        raise StoreError(f"{setting}: {rule}")
    timeout_s = float(settings.timeout_s)
    bounds = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "socket_keepalive": True}
    if parts.scheme in TLS_SCHEMES and options.get("ssl_cert_reqs") != "none":
        bounds["ssl_check_hostname"] = True  # the client's default is to take any host's certificate
    return bounds


def _failures() -> tuple[type[Exception], ...]:
    """Name what a client may raise, an answer that is none of Valkey's included."""
    from valkey.exceptions import ValkeyError

    # The last four: parsing what is no answer at all, and a connection that another thread closes.
    return (ValkeyError, OSError, ValueError, TypeError, LookupError, AttributeError)


def _refusals() -> tuple[type[Exception], ...]:
    """Name what a store answers that is there and does not keep a value."""
    from valkey.exceptions import ResponseError

    return (ResponseError,)
