"""A part of `make fuzz`, on every route: no failure, no hung connection, the right shape of errors."""

from __future__ import annotations

import pytest

from ia0_daemon.gateway.routes import OPERATIONS
from tests.fuzz.__main__ import afterwards
from tests.fuzz.run import Aim, Tally, fire_all
from tests.integration.fuzz.conftest import Fuzzed

SHOTS = 100


@pytest.fixture(scope="module")
def tallies(daemons: Fuzzed) -> dict[str, Tally]:
    open_one, admin, key = daemons
    aim = Aim(open_one.port, admin.port, key, SHOTS, seed=1)
    return {tally.route: tally for tally in fire_all(aim, processes=4)}


@pytest.mark.parametrize("route", [f"{row.method} {row.path}" for row in OPERATIONS])
def test_bad_requests_find_no_fault(tallies: dict[str, Tally], route: str) -> None:
    tally = tallies[route]
    assert tally.faults == {}, tally.examples
    assert tally.shots >= SHOTS
    assert tally.statuses["400"] > 0


def test_the_daemons_are_as_they_were(tallies: dict[str, Tally], daemons: Fuzzed) -> None:
    assert [fault for daemon in daemons[:2] for fault in afterwards(daemon)] == []
