"""What an API key may do: requests and tokens a minute, tokens a day, requests at once.

Owns who counts: this daemon, or the shared store as long as it is there. Tokens are known only afterwards:
a request is refused where the window is used up already, and `settle` adds what it took. Never fails a
request for want of a store or a disk.

    enter: a seat -> tokens of the day -> tokens of the minute -> count the request -> Quota, or RateLimited
    settle: tokens -> the minute, the day
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ia0_daemon.gateway.hold import Books, add, hold
from ia0_daemon.gateway.quota import NO_QUOTA, Quota
from ia0_daemon.gateway.seats import Seats
from ia0_daemon.gateway.shared_days import SharedDays
from ia0_daemon.gateway.shared_store import StoreAway
from ia0_daemon.gateway.usage import DayBook
from ia0_daemon.gateway.usage_database import UsageDatabase, UsageState
from ia0_daemon.gateway.windows import LocalWindows

if TYPE_CHECKING:
    from contextlib import ExitStack

    from ia0_daemon.gateway.shared_store import SharedStore, StoreState
    from ia0_daemon.settings.schema import ApiKey


class Limiter:
    """One for the daemon's life. Safe from many threads. `close` writes what is left."""

    def __init__(
        self,
        store: SharedStore | None,
        usage_path: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._book = DayBook(wall)
        self._local = Books(LocalWindows(clock), self._book)
        self._seats = Seats()
        self._store = store
        self._database: UsageDatabase | None = None
        if store is not None:
            self._share(store)
        elif usage_path:
            self._database = UsageDatabase(Path(usage_path), self._book)
            self._database.start()

    @property
    def shared_state(self) -> StoreState | None:
        """Give how the shared store is; None where none is configured."""
        return self._store.state if self._store is not None else None

    @property
    def usage_state(self) -> UsageState | None:
        """Give whether the tokens of the day are kept in a database; None where none is used."""
        return self._database.state if self._database is not None else None

    def enter(self, resources: ExitStack, key: ApiKey) -> Quota:
        """Count a request, and hold one of `max_concurrent` until `resources` closes.

        Raises `RateLimited`; then nothing was counted and nothing is held.
        """
        if key.max_concurrent:
            self._seats.take(key)
        try:
            quota = self._counted(key)
        except BaseException:
            self._leave(key)
            raise
        if key.max_concurrent:
            resources.callback(self._leave, key)
        return quota

    def settle(self, key: ApiKey, tokens: int) -> None:
        """Add the tokens of a request's prompt and answer, when they are known."""
        if tokens <= 0 or not (key.tokens_per_minute or key.tokens_per_day):
            return
        if self._store is not None:
            try:
                self._store.attempt(partial(add, self._shared, key, tokens))
            except StoreAway:
                pass
            else:
                return
        add(self._local, key, tokens)

    def close(self) -> None:
        """Write the day's tokens as far as their place is there; before the store is closed."""
        if self._store is not None:
            self._hand_over_at_end(self._store)
        if self._database is not None:
            self._database.close()

    def _counted(self, key: ApiKey) -> Quota:
        if not (key.requests_per_minute or key.tokens_per_minute or key.tokens_per_day):
            return NO_QUOTA
        left_s = self._book.left_s()
        if self._store is not None:
            try:
                return self._store.attempt(partial(hold, self._shared, key, left_s))
            except StoreAway:
                pass
        return hold(self._local, key, left_s)

    def _leave(self, key: ApiKey) -> None:
        if key.max_concurrent:
            self._seats.leave(key)

    def _share(self, store: SharedStore) -> None:
        # Late: it costs memory that a daemon without a store does not need.
        from limits.storage import RedisStorage

        counts = RedisStorage(
            "valkey://", connection_pool=store.client.connection_pool, key_prefix=f"{store.prefix}:limits"
        )
        self._days = SharedDays(counts, self._book)
        self._shared = Books(counts, self._days)
        store.when_there(self._days.hand_over)

    def _hand_over_at_end(self, store: SharedStore) -> None:
        try:
            store.attempt(self._days.hand_over)
        except StoreAway:
            return
