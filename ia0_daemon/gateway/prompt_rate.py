"""How many tokens a prompt probably has, as the models have counted those before it.

Owns the measured mean of each model. The engine tells a prompt's tokens with an
answer's last line: of a caller who leaves before that, nobody would know them.
"""

from __future__ import annotations

import threading

# What the newest answer weighs in the mean: about the last ten count.
NEWEST = 0.2


class PromptRates:
    """Tokens of a character, by model: as many as are configured. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rates: dict[str, float] = {}

    def note(self, model: str, chars: int, tokens: int) -> None:
        """Take what a model has counted for a prompt of so many characters."""
        if not chars or not tokens:
            return
        newest = tokens / chars
        with self._lock:
            before = self._rates.get(model, newest)
            self._rates[model] = before + NEWEST * (newest - before)

    def tokens(self, model: str, chars: int) -> int:
        """Give about how many tokens a prompt has; 0 before any was counted."""
        with self._lock:
            return round(self._rates.get(model, 0.0) * chars)
