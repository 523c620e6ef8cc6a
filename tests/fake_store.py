"""A shared store without a server: its client is a dictionary, with errors where a test wants them."""

from __future__ import annotations

from typing import Any, cast

import valkey

from ia0_daemon.gateway.shared_store import SharedStore

ADDRESS = "valkey://:word@10.0.0.7:6379"


class FakeValkey:
    """What the client of a store does."""

    def __init__(self) -> None:
        self.values: dict[object, object] = {}
        self.error: Exception | None = None
        self.set_error: Exception | None = None
        self.asked = 0
        self.ages: list[dict[str, Any]] = []

    def get(self, name: object) -> object:
        self._ask(self.error)
        return self.values.get(name)

    def set(self, name: object, value: object, **age: Any) -> None:
        self._ask(self.error or self.set_error)
        self.values[name] = value
        self.ages.append(age)

    def _ask(self, error: Exception | None) -> None:
        self.asked += 1
        if error is not None:
            raise error


def store_of(client: FakeValkey) -> SharedStore:
    """A store with that client; it looks for its server when the test says so."""
    return SharedStore(cast("valkey.Valkey", client), "ia0", ADDRESS)
