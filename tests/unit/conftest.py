"""What tests of several folders wait with."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def eventually() -> Eventually:
    def eventually(condition: Callable[[], object]) -> None:
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until, "it did not happen within 20 s"
            time.sleep(0.01)

    return eventually
