"""How many models are on their way to the engine, or from it, by an administrator's word.

Owns the count, which the supervisor looks at: a restart of the engine would throw
parts of such a transfer away.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import ExitStack


class Pulls:
    """The transfers under way. Safe to use from many threads."""

    def __init__(self) -> None:
        self._running = 0
        self._lock = threading.Lock()

    def is_pulling(self) -> bool:
        """Say whether one is under way."""
        return self._running > 0

    def begin(self, resources: ExitStack) -> None:
        """Count one for as long as `resources` is open."""
        with self._lock:
            self._running += 1
        resources.callback(self._end)

    def _end(self) -> None:
        with self._lock:
            self._running -= 1
