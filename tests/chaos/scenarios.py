"""The faults, one after the other, under the same crowd of callers."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import agree
from tests.chaos.clients import Callers, Outcome, wait_until_busy
from tests.chaos.engine_log import OWN, Ledger
from tests.chaos.seams import bad_seams
from tests.chaos.world import PUBLIC_NAME, World

BUSY_REQUESTS, BUSY_STREAMS = 12, 2
SHARED_CALLERS = 4
# How long a fault may take to be noticed, mended and over, in seconds.
LIMIT_S = 120.0
# How long the callers go on before their results are counted: what a fault cut must have come to its end.
SETTLE_LIMIT_S = 240.0


@dataclass
class Row:
    """One line of the report."""

    name: str
    at: Counter[str]
    sent: int = 0
    count: agree.Counts = field(default_factory=agree.Counts)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def forced(world: World) -> None:
    """An operator restarts the engine."""
    world.command("restart", reason="chaos")
    _until(lambda: _remedy(world) in ("idle", "settling"), "the restart did not end")


def kill_parent(world: World) -> None:
    """The engine's parent is killed; its children are orphans."""
    pid = world.engine_pid()
    os.kill(pid, signal.SIGKILL)
    _until(lambda: _is_new(world, pid), "nobody restarted it")


def kill_child(world: World) -> None:
    """The model's process is killed; the engine itself loads it again."""
    (child, *_) = world.child_pids()
    os.kill(child, signal.SIGKILL)
    _until(lambda: bool(set(world.child_pids()) - {child}), "the model was not loaded again")


def stop_child(world: World) -> None:
    """The model's process stands still; the engine answers, but no token comes."""
    pid = world.engine_pid()
    (child, *_) = world.child_pids()
    os.kill(child, signal.SIGSTOP)
    _until(lambda: _is_new(world, pid), "nobody restarted it")


def run(world: World, restarts: int, show: Callable[[Row], None]) -> list[Row]:
    """Run every scenario; each row is shown when it is over."""
    faults = [("forced restart", forced)] * restarts
    faults += [("SIGKILL of the parent", kill_parent), ("SIGKILL of a child", kill_child)]
    faults += [("SIGSTOP of a child", stop_child)]
    callers = Callers(world.daemon.url, keys=world.keys, shared=SHARED_CALLERS)
    callers.start()
    rows = []
    everything: list[Outcome] = []
    try:
        for number, (name, fault) in enumerate(faults, 1):
            row = Row(f"{number:2} {name}", wait_until_busy(callers, BUSY_REQUESTS, BUSY_STREAMS))
            began = time.monotonic()
            fault(world)
            row.seconds = time.monotonic() - began
            rows.append(row)
            row.sent, outcomes = callers.take()  # what is still under way is counted with the next row
            everything += outcomes
            _judge(row, outcomes, world)
            show(row)
    finally:
        callers.stop()
    rows.append(_rest(world, callers, everything))
    show(rows[-1])
    return rows


def _rest(world: World, callers: Callers, everything: list[Outcome]) -> Row:
    """What was under way at the end, and what only all together can show."""
    row = Row("   the rest", Counter())
    row.sent, outcomes = callers.take()
    everything += outcomes
    _judge(row, outcomes, world)
    row.faults += bad_seams(everything)
    row.faults += agree.shared_differ(everything, _lines(world))
    row.faults += unused(world)
    row.faults += agree.strangers(ledger(world), _lines(world), everything)
    return row


def _judge(row: Row, outcomes: list[Outcome], world: World) -> None:
    row.count, faults = judge(outcomes, world)
    row.faults += faults


def judge(outcomes: list[Outcome], world: World) -> tuple[agree.Counts, list[str]]:
    """Count what clients, daemon and engine say of these requests, and find what is wrong with it."""
    wanted = {outcome.request_id for outcome in outcomes}
    # The daemon writes its line when the last byte is out: the client may be a moment ahead of it.
    world.daemon.wait_for(lambda: wanted <= _lines(world).keys())
    log, engines = _lines(world), ledger(world)
    counts = agree.count(outcomes, log, engines)
    faults = agree.disagreements(outcomes, log, engines) + agree.sums_disagree(counts)
    faults += [f"{each.request_id}: lost: {each.trouble}" for each in outcomes if each.result == "lost"]
    faults += [
        f"{each.request_id}: explicit error {each.code}" for each in outcomes if each.result == "error"
    ]
    return counts, faults


def _lines(world: World) -> dict[str, dict[str, Any]]:
    return {line["request_id"]: line for line in world.daemon.log_lines(event="request")}


def _is_new(world: World, old: int) -> bool:
    return world.engine_pid() not in (0, old) and _remedy(world) in ("idle", "settling")


def _remedy(world: World) -> str:
    status = world.command("status")
    assert isinstance(status, dict)
    return str(status["supervisor"]["remedy"])


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() >= until:
            raise AssertionError(otherwise)
        time.sleep(0.1)


def unused(world: World) -> list[str]:
    """A run in which nobody queued, shared or was counted proves nothing of these."""
    name = f'{{model="{PUBLIC_NAME}"}}'
    seen = {
        "queue": world.daemon.metric(f"ia0_queue_seconds_count{name}"),
        "shared answers": world.daemon.metric('ia0_cache_requests_total{result="shared"}'),
        "limits": float(bool(world.remaining())),
    }
    return [f"not used: {what}" for what, count in seen.items() if not count]


def totals(rows: list[Row]) -> agree.Counts:
    """Add the rows up."""
    counts = agree.Counts()
    for row in rows:
        counts.add(row.count)
    return counts


def trials(world: World) -> int:
    """How many answers the engine began for the daemon itself, which tries a prefill."""
    return ledger(world).requests[OWN].begun


def ledger(world: World) -> Ledger:
    """What the engine has logged so far."""
    return Ledger((world.folder / "engine.log").read_text(errors="replace"))
