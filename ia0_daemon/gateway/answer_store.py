"""The part of the shared store in which daemons keep answers for each other.

Owns the keys' form. Never knows what a value means, and never raises for a store that is away: then nothing
is found and nothing is kept.

    get/put -> one command, if the store is there -> value / kept, or not
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ia0_daemon.gateway.shared_store import StoreAway

if TYPE_CHECKING:
    from ia0_daemon.gateway.shared_store import SharedStore


class AnswerStore:
    """Values under keys that end by themselves. Safe to use from many threads."""

    def __init__(self, store: SharedStore) -> None:
        self._store, self._client = store, store.client
        self._prefix = store.prefix.encode()

    def get(self, kind: str, key: bytes) -> bytes | None:
        """Give what is kept under a key; none where there is nothing, or the store is away."""
        try:
            value = self._store.attempt(partial(self._client.get, self._full(kind, key)), reads=True)
        except StoreAway:
            return None
        return value if isinstance(value, bytes) else None

    def put(self, kind: str, key: bytes, value: bytes, max_age_s: float) -> bool:
        """Keep a value for so long; false where the store is away or takes none."""
        age_ms = max(1, round(max_age_s * 1000))
        try:
            self._store.attempt(partial(self._client.set, self._full(kind, key), value, px=age_ms))
        except StoreAway:
            return False
        return True

    def _full(self, kind: str, key: bytes) -> bytes:
        return b":".join((self._prefix, kind.encode(), key.hex().encode()))
