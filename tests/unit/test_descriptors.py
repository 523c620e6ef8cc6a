"""The soft limit of descriptors is raised as far as needed, and what does not fit is known."""

from __future__ import annotations

import resource

import pytest

from ia0_daemon.descriptors import SPARE, make_room


class FakeLimits:
    """A process' limits."""

    def __init__(self, soft: int, hard: int, forbidden: bool = False) -> None:
        self.now, self.forbidden = (soft, hard), forbidden

    def read(self, _: int) -> tuple[int, int]:
        return self.now

    def write(self, _: int, limits: tuple[int, int]) -> None:
        if self.forbidden:
            raise PermissionError(1, "Operation not permitted")
        self.now = limits

    def make_room(self, connections: int, others: int = 100) -> int:
        return make_room(connections, others, self.read, self.write)


def test_the_soft_limit_is_raised_to_just_what_is_needed() -> None:
    limits = FakeLimits(1024, 20000)
    assert limits.make_room(4096) == 4096
    assert limits.now == (4096 + 100 + SPARE, 20000)


def test_a_limit_that_suffices_is_left_alone() -> None:
    limits = FakeLimits(20000, 20000, forbidden=True)
    assert limits.make_room(4096) == 4096
    assert limits.now == (20000, 20000)


@pytest.mark.parametrize("limits", [FakeLimits(1024, 2000), FakeLimits(2000, 20000, forbidden=True)])
def test_what_the_limit_leaves_is_told(limits: FakeLimits) -> None:
    assert limits.make_room(4096) == 2000 - 100 - SPARE


def test_a_limit_that_is_too_low_for_the_rest_leaves_nothing() -> None:
    assert FakeLimits(64, 64).make_room(4096) == 0


def test_no_limit_is_enough() -> None:
    unlimited = resource.RLIM_INFINITY
    limits = FakeLimits(unlimited, unlimited, forbidden=True)
    assert limits.make_room(4096) == 4096
    raised = FakeLimits(1024, unlimited)
    assert raised.make_room(4096) == 4096
    assert raised.now == (4096 + 100 + SPARE, unlimited)
