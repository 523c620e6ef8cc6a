"""The engine of the live configuration, as the supervisor sees it and asks it.

Owns which of the gateway's parts answers which question. Holds no state: a reload may change the engine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ia0_daemon.engine.patience import Patience
from ia0_daemon.settings import engine_address
from ia0_daemon.supervisor.tell import Answering

if TYPE_CHECKING:
    from ia0_daemon.gateway.service import Service


class EngineView:
    """What `Supervisor` and `Remedy` want to know of the engine."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def port(self) -> int:
        """Where it listens."""
        return engine_address.parse(self._service.live.settings.engine.host).port

    def answering(self) -> Answering:
        """Say whether it answers, and since when that is so."""
        state = self._service.live.watch.state
        return Answering(state.reachable, time.monotonic() - state.since)

    def answers(self) -> bool:
        """Ask it now."""
        return self._service.live.watch.refresh().reachable

    def loaded(self) -> list[str]:
        """Of the configured models those that were loaded; the options of others are not known here."""
        live = self._service.live
        return [model.tag for model in live.catalog.models if live.watch.was_loaded(model.tag)]

    def warm(self, tag: str) -> None:
        """Load a model as requests would have it."""
        live = self._service.live
        for model in live.catalog.models:
            if model.tag == tag:  # a reload may have taken it out meanwhile
                live.client.load(model, Patience(bool))

    def public_names(self) -> dict[str, str]:
        """Give each model's public name by its tag."""
        return {model.tag: model.name for model in self._service.live.catalog.models}
