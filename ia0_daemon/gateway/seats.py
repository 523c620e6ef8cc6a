"""How many requests of each key are under way at once in this daemon.

Owns `max_concurrent`. Never waits: who finds no seat is refused.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ia0_daemon.errors import RateLimited

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import ApiKey

# When a seat is free again nobody knows; in seconds.
SEAT_RETRY_S = 1


class Seats:
    """How many requests of each key are under way in this daemon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}

    def take(self, key: ApiKey) -> None:
        """Take one for a key; `RateLimited` where it has as many as it may."""
        with self._lock:
            taken = self._taken.get(key.name, 0)
            if taken < key.max_concurrent:
                self._taken[key.name] = taken + 1
                return
        raise RateLimited(
            f"the key {key.name} has as many requests under way as it may ({key.max_concurrent})",
            retry_after_s=SEAT_RETRY_S,
            limit="max_concurrent",
            bound=key.max_concurrent,
            setting="auth.keys[].max_concurrent",
        )

    def leave(self, key: ApiKey) -> None:
        """Give one back."""
        with self._lock:
            left = self._taken.get(key.name, 0) - 1
            if left > 0:
                self._taken[key.name] = left
            else:
                self._taken.pop(key.name, None)
