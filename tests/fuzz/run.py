"""Fires many shots at each route, several routes at a time, and counts.

Owns the order and the counting. Processes, not threads: making requests costs more than sending them.

    OPERATIONS -> targets -> (a process each) Hypothesis -> shots -> wire -> judge -> Tally
"""

from __future__ import annotations

import json
import multiprocessing
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from ia0_daemon.gateway.openapi import document, path_of
from ia0_daemon.gateway.operation import Operation
from ia0_daemon.gateway.routes import OPERATIONS
from tests.fuzz.judge import faults
from tests.fuzz.requests_of import shots
from tests.fuzz.shot import Shot, Target
from tests.fuzz.wire import Wire

_VARIABLE = re.compile(r"<(?:\w+:)?\w+>")
MODEL = "smollm2-135m"
# How many examples of one fault are kept.
_KEPT = 2


@dataclass
class Tally:
    """What came of a route's shots."""

    route: str
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def shots(self) -> int:
        """How many were fired."""
        return self.kinds.total()

    def note_fault(self, kind: str, fault: str, data: bytes) -> None:
        """Count a fault; keep what led to it, the beginning of it at least."""
        name = f"{kind}: {fault}"
        self.faults[name] += 1
        kept = self.examples.setdefault(name, [])
        if len(kept) < _KEPT:
            kept.append(data[:2000])


@dataclass(frozen=True)
class Aim:
    """Where to fire, and how often."""

    port: int
    admin_port: int
    """A daemon with an administrator's key."""
    admin_key: str
    shots: int
    seed: int


def fire_all(aim: Aim, processes: int) -> Iterator[Tally]:
    """Fire at every route; gives each route's tally when it is done."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        yield from pool.map(fire_at, range(len(OPERATIONS)), [aim] * len(OPERATIONS))


def fire_at(index: int, aim: Aim) -> Tally:
    """Fire at one route of the table."""
    row = OPERATIONS[index]
    target = _target(row, aim)
    port = aim.admin_port if row.is_admin else aim.port
    tally = Tally(f"{row.method} {row.path}")
    wire = Wire(port)

    @seed(aim.seed * 1000 + index)
    @settings(
        max_examples=aim.shots,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(shots(target, _known(row)))
    def fire(shot: Shot) -> None:
        _fire(wire, shot, target, tally)

    # Hypothesis stops early where it believes to have seen all that there is to see of a strategy.
    fire()
    wire.close()
    return tally


def _fire(wire: Wire, shot: Shot, target: Target, tally: Tally) -> None:
    outcome = wire.fire(shot.data, shot.answers, has_body=shot.has_body, is_clean=shot.is_clean)
    tally.kinds[shot.kind] += 1
    tally.statuses.update(str(answer.status) for answer in outcome.answers)
    if not outcome.answers:
        tally.statuses[outcome.end] += 1
    for fault in faults(shot, target.path, outcome):
        tally.note_fault(shot.kind, fault, shot.data)


def _target(row: Operation, aim: Aim) -> Target:
    body = json.dumps(row.examples[0] if row.examples else {}).encode() if _takes_json(row) else None
    key = aim.admin_key if row.is_admin else ""
    return Target(row.method, _VARIABLE.sub(MODEL, row.path), body, key)


def _takes_json(row: Operation) -> bool:
    return row.takes is not None and row.takes_type == "application/json"


def _known(row: Operation) -> list[str]:
    """Give the names of the fields that a body may have."""
    if not isinstance(row.takes, type):
        return []
    api: dict[str, Any] = document((row,))
    body = api["paths"][path_of(row)][row.method.lower()]["requestBody"]["content"][row.takes_type]
    name = body["schema"]["$ref"].rpartition("/")[2]
    return list(api["components"]["schemas"][name].get("properties", {})) or ["x"]
