"""``POST /api/pull`` and ``/api/push``: placeholder until ``pull`` stands."""
from __future__ import annotations

from ia0_daemon.embedded.engine import Engine
from ia0_daemon.embedded.exchange import Exchange


def pull(engine: Engine, exchange: Exchange) -> None:
    """Pull a model."""
    raise NotImplementedError
