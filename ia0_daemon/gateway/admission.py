"""How many answers may be under way at once.

Owns the seats. A seat is taken before the engine is asked and given back when
the request ends, however it ends: that is the request's own ExitStack's work.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ia0_daemon.errors import Overloaded

if TYPE_CHECKING:
    from contextlib import ExitStack

# Without a measured pace of answers the honest word is "soon"; in seconds.
RETRY_AFTER_S = 1


class Admission:
    """Seats for answers. Safe to use from many threads."""

    def __init__(self) -> None:
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def in_flight(self) -> int:
        """How many seats are taken."""
        return self._taken

    def enter(self, resources: ExitStack, limit: int) -> None:
        """Take a seat for as long as `resources` is open. Raises `Overloaded` where none is free."""
        with self._lock:
            if self._taken >= limit:
                raise Overloaded(
                    f"{self._taken} answers are under way; server.max_in_flight allows no more",
                    retry_after_s=RETRY_AFTER_S,
                    in_flight=self._taken,
                    limit=limit,
                    setting="server.max_in_flight",
                )
            self._taken += 1
        resources.callback(self._leave)

    def _leave(self) -> None:
        with self._lock:
            self._taken -= 1
