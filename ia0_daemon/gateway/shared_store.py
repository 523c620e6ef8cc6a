"""The Valkey or Redis in which daemons share what they count: reaching it, and doing without it.

Owns the connections and the breaker. Never knows what is kept there. A request that meets a store which is
away pays `shared.timeout_s` once; from then on nobody asks it but the thread that looks for it.

    attempt(call) -> its result, or StoreAway;   every few seconds: a small write -> up or away
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ia0_daemon.settings.faults import ConfigError, Fault
from ia0_daemon.settings.gateway_rules import STORE_SCHEMES, is_store_url

if TYPE_CHECKING:
    from valkey import Valkey
    from valkey.connection import ConnectionPool

    from ia0_daemon.settings.schema import Shared

log = logging.getLogger(__name__)

T = TypeVar("T")

# How often the store is looked for, there or away; in seconds.
LOOK_S = 2.0
# How long the sign of life stays there; in seconds.
_SIGN_S = 60
# An address has a few hundred characters.
_LONGEST_ADDRESS = 4096


class StoreAway(Exception):
    """The store does not answer; do without it."""


@dataclass(frozen=True)
class StoreState:
    """How the store is."""

    is_up: bool
    error: str = ""
    """Why it is away."""


def address(shared: Shared) -> str:
    """Give the store's address; empty where there is none. ConfigError where its file does not hold one."""
    if not shared.url_file:
        return shared.url
    try:
        with Path(shared.url_file).open(encoding="utf-8") as file:
            url = file.read(_LONGEST_ADDRESS).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8"
        raise ConfigError([_fault(shared, f"cannot be read: {why}")]) from None
    if not is_store_url(url):
        schemes = ", ".join(f"{scheme}://" for scheme in STORE_SCHEMES)
        raise ConfigError(
            [_fault(shared, f"must hold one line that begins with one of {schemes} and has a host")]
        )
    return url


def _fault(shared: Shared, rule: str) -> Fault:
    return Fault("shared.url_file", shared.url_file, rule, shared.url_file)


class SharedStore:
    """One store for the daemon's life. Safe from many threads; `start` looks for it, `close` ends that."""

    def __init__(
        self,
        url: str,
        prefix: str,
        timeout_s: float,
        report: Callable[[bool, str], None] | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        """`report` is called at each change, from any thread: whether it is up, and why not."""
        # Late: it costs memory that a daemon without a store does not need.
        from valkey import Valkey
        from valkey.connection import ConnectionPool
        from valkey.exceptions import ValkeyError

        # Valkey's client speaks to Redis too, but its address must not be called so everywhere.
        own = url.replace("redis", "valkey", 1) if url.startswith("redis") else url
        self.pool: ConnectionPool = ConnectionPool.from_url(  # type: ignore[no-untyped-call]  # its own lack
            own, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        self.client: Valkey = Valkey(connection_pool=self.pool)
        self._failures = (ValkeyError, OSError)
        self._report, self._look_s, self._sign = report, look_s, f"{prefix}:alive"
        self._state = StoreState(is_up=True)
        self._changing = threading.Lock()
        self._ended = threading.Event()
        self._when_there: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._watch, name="ia0-shared-store", daemon=True)

    @property
    def state(self) -> StoreState:
        """Give how it is; up until it was found to be away."""
        return self._state

    def start(self, when_there: Callable[[], None] = lambda: None) -> None:
        """Look for it from now on, and call `when_there` whenever it is there; its failure is the store's."""
        self._when_there = when_there
        self._thread.start()

    def attempt(self, call: Callable[[], T]) -> T:
        """Give what a call of the store gives. Raises `StoreAway` where it is away, or becomes so."""
        if not self._state.is_up:
            raise StoreAway
        try:
            return call()
        except self._failures as error:
            self._note(str(error) or type(error).__name__)
            raise StoreAway from error

    def close(self) -> None:
        """Look no more and close the connections."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.pool.disconnect()

    def _watch(self) -> None:
        while not self._ended.is_set():
            self._look()
            self._ended.wait(self._look_s)

    def _look(self) -> None:
        try:
            # A write: a replica or a store without memory answers a ping as well.
            self.client.set(self._sign, 1, ex=_SIGN_S)
            self._when_there()
        except self._failures as error:
            self._note(str(error) or type(error).__name__)
        else:
            self._note("")

    def _note(self, error: str) -> None:
        with self._changing:
            changed = self._state.is_up != (not error)
            self._state = StoreState(is_up=not error, error=error)
        if changed:
            self._tell(error)

    def _tell(self, error: str) -> None:
        if error:
            log.warning(
                "the shared store is away: this daemon goes on with limits of its own",
                extra={"event": "shared_store_away", "error": error},
            )
        else:
            log.info("the shared store is back", extra={"event": "shared_store_back"})
        if self._report is not None:
            self._report(not error, error)
