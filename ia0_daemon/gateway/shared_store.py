"""The Valkey or Redis that daemons share: reaching it, and doing without it.

Owns the connections and whether the store is there. Never knows what is kept there: limits and kept answers
both go through this one object. A request that meets a store which is away pays `shared.timeout_s` once; from
then on nobody asks it but the thread that looks for it.

    attempt(call) -> its result, or StoreAway;   every few seconds: read and write a sign -> how it is
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ia0_daemon.settings import store_address
from ia0_daemon.settings.faults import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from valkey import Valkey

    from ia0_daemon.settings.schema import Shared

log = logging.getLogger(__name__)

T = TypeVar("T")

# How often the store is looked for, there or away; in seconds.
LOOK_S = 2.0
# How long the sign of life stays there; in seconds.
_SIGN_S = 60
# Who may ask the store beside the API's threads: the thread that looks for it, and the listener's own, which
# ends requests whose callers have gone.
_OTHER_THREADS = 2
# An address has a few hundred characters.
_LONGEST_ADDRESS = 4096


class StoreAway(Exception):
    """The store does not answer, or does not take what is written; do without it."""


@dataclass(frozen=True)
class StoreState:
    """How the store is."""

    is_up: bool
    """It answers and can be written."""
    error: str = ""
    """Why it is not up."""
    gives: bool = True
    """It can be read: one that is full is not up and still gives what it has."""


def open_store(shared: Shared, look_s: float = LOOK_S) -> SharedStore | None:
    """Make the store of the settings, without connecting; none where none is set.

    Raises `ConfigError` where `shared.url_file` holds no address that can be used.
    """
    url = address(shared)
    return SharedStore(_client(url, float(shared.timeout_s)), shared.prefix, url, look_s) if url else None


def most_connections(shared: Shared, threads: int) -> int:
    """Give how many connections there may be at most: each of the API's `threads` holds one at a time."""
    return threads + _OTHER_THREADS if shared.url or shared.url_file else 0


def address(shared: Shared) -> str:
    """Give the store's address; empty where there is none. Raises `ConfigError` where its file holds none."""
    if not shared.url_file:
        return shared.url  # the rules between settings have looked at it
    url = _held_in(shared.url_file)
    rule = store_address.broken_rule(url)
    if rule:
        fault = f"holds no address that can be used: it {rule}"
        raise ConfigError([Fault("shared.url_file", shared.url_file, fault, shared.url_file)])
    return url


def _held_in(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_LONGEST_ADDRESS).strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8"
        raise ConfigError([Fault("shared.url_file", path, f"cannot be read: {why}", path)]) from None


def _client(url: str, timeout_s: float) -> Valkey:
    """Make the client, whose pool connects when it is first used."""
    from valkey import ConnectionPool, Valkey  # 7 MB of modules (measured) that few need

    bounds = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "socket_keepalive": True}
    if store_address.checks_host(url):
        bounds["ssl_check_hostname"] = True  # the client's default is to take any host's certificate
    pool = ConnectionPool.from_url(url, **bounds)  # type: ignore[no-untyped-call]  # its own lack
    return Valkey(connection_pool=pool)


class SharedStore:
    """One store for the daemon's life. Safe from many threads; `start` looks for it, `close` ends that."""

    def __init__(self, client: Valkey, prefix: str, url: str, look_s: float = LOOK_S) -> None:
        # Late: it costs memory that a daemon without a store does not need.
        from valkey.exceptions import ResponseError, ValkeyError

        self.client, self.prefix = client, prefix
        self._name, self._look_s, self._sign = store_address.shown(url), look_s, f"{prefix}:alive"
        # Behind the first two: reading what is no answer at all, and a connection that another thread closes.
        self._failures = (
            ValkeyError, OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError,
        )  # fmt: skip
        self._refusal = ResponseError
        self._state = StoreState(is_up=True)
        self._changing = threading.Lock()
        self._ended = threading.Event()
        self._when_there: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._watch, name="ia0-shared-store", daemon=True)

    @property
    def state(self) -> StoreState:
        """Give how it is; up until it was found not to be."""
        return self._state

    def when_there(self, call: Callable[[], None]) -> None:
        """Have the thread call this whenever it finds the store; its failure is the store's."""
        self._when_there = call

    def start(self) -> None:
        """Look for it from now on."""
        self._thread.start()

    def attempt(self, call: Callable[[], T], *, reads: bool = False) -> T:
        """Give what a call of the store gives; `reads` where it writes nothing.

        Raises `StoreAway` where the store is not there for that, or is found not to be.
        """
        state = self._state
        if not (state.gives if reads else state.is_up):
            raise StoreAway
        try:
            return call()
        except self._failures as error:
            # One that refuses a write is there: it is full, or a replica.
            self._note(error, gives=isinstance(error, self._refusal) and not reads)
            raise StoreAway from error

    def look(self) -> None:
        """Look for it now, as the thread does every few seconds."""
        try:
            self.client.get(self._sign)
        except self._failures as error:
            self._note(error, gives=False)
            return
        try:
            # A write: a replica or a store without memory answers a ping as well.
            self.client.set(self._sign, 1, ex=_SIGN_S)
            self._when_there()
        except self._failures as error:
            self._note(error, gives=isinstance(error, self._refusal))
        else:
            self._note(None, gives=True)

    def close(self) -> None:
        """Look no more and close the connections."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.client.connection_pool.disconnect()

    def _watch(self) -> None:
        while not self._ended.is_set():
            self.look()
            self._ended.wait(self._look_s)

    def _note(self, error: Exception | None, *, gives: bool) -> None:
        """Remember how it is, and say it where it goes and where it is back."""
        why = "" if error is None else str(error) or type(error).__name__
        with self._changing:  # while it is said, too: the log has both in their order
            was_up, self._state = self._state.is_up, StoreState(error is None, why, gives)
            if was_up and error is not None:
                told = {"event": "shared_store_away", "store": self._name, "error": why}
                log.warning("the shared store is away: this daemon goes on alone", extra=told)
            elif not was_up and error is None:
                told = {"event": "shared_store_back", "store": self._name}
                log.info("the shared store is back", extra=told)
