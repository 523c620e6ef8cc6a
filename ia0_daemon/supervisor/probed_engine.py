"""The engine as a probe sees it: the models that are loaded, and one token of one of them.

Owns the translation between the daemon's present engine and `probe.py`. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ia0_daemon.engine.patience import Patience
from ia0_daemon.supervisor.probe import Loaded

if TYPE_CHECKING:
    from ia0_daemon.gateway.service import Live

# Ollama says "for ever" as a time some three hundred years ahead.
FOREVER_S = 10 * 366 * 86400.0


class LiveEngine:
    """The engine of the settings in force; a reload may change it."""

    def __init__(self, live: Callable[[], Live]) -> None:
        self._live = live

    def loaded(self) -> list[str]:
        """Give the configured models that were loaded when the engine was last asked."""
        live = self._live()
        return [model.tag for model in live.catalog.models if live.watch.loaded(model.tag) is not None]

    def look(self, tag: str) -> Loaded | None:
        """Ask the engine now."""
        live = self._live()
        live.watch.refresh()
        found = live.watch.loaded(tag)
        return None if found is None else Loaded(tag, stays_s(found.expires_at, datetime.now(UTC)))

    def alive_at(self, tag: str) -> float:
        """Give when the model was last heard."""
        return self._live().client.progress.alive_at(tag)

    def is_doubted(self, tag: str) -> bool:
        """Say whether a request has waited for it in vain since then."""
        return self._live().client.progress.is_doubted(tag)

    def write(self, loaded: Loaded, gone: Callable[[], bool], timeout_s: float) -> None:
        """Have it write one token; how long it stays loaded remains what it was."""
        live = self._live()
        keep_alive_s = -1 if loaded.stays_s > FOREVER_S else max(1, round(loaded.stays_s))
        for model in live.catalog.models:
            if model.tag == loaded.tag:  # a reload may have taken it out meanwhile
                live.client.write_one_token(model, keep_alive_s, Patience(gone), timeout_s)
                return


def stays_s(expires_at: str, now: datetime) -> float:
    """Give how long a model stays loaded by `expires_at` of `/api/ps`; 0 where it does not say."""
    try:
        ends = datetime.fromisoformat(expires_at)
    except ValueError:
        return 0.0
    ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
    return max(0.0, (ends - now).total_seconds())
