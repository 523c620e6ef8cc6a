"""Carries out the faults that hit an answer.

    with_faults(pieces) -> the same pieces, delayed, cut short or broken

Owns what each fault does to an answer; without faults the pieces pass unchanged.
Whether a fault hits is ``faults``' matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.completion import Piece
from ia0_daemon.embedded.failures import RUNNER_STOPPED_TEXT, Cancelled, EngineFailure
from ia0_daemon.embedded.faults import Fault, Faults
from ia0_daemon.embedded.runner import Runner


@dataclass(frozen=True)
class _Plan:
    """The faults that hit one answer, in tokens and seconds."""

    wedge_after: float | None
    end_after: float | None
    die_after: float | None
    error_after: float | None
    first_delay: float
    delay: float


def _plan(faults: Faults, prompt: str) -> _Plan:
    is_wedged = faults.hit(Fault.WEDGE, prompt) or faults.hit(Fault.HALF_WEDGE, prompt)
    return _Plan(
        wedge_after=0 if is_wedged else faults.number(Fault.WEDGE_AFTER_TOKENS, prompt),
        end_after=faults.number(Fault.NO_DONE_AFTER_TOKENS, prompt),
        die_after=faults.number(Fault.DIE_AFTER_TOKENS, prompt),
        error_after=faults.number(Fault.ERROR_AFTER_TOKENS, prompt),
        first_delay=faults.number(Fault.SLOW_PROMPT_S, prompt) or 0.0,
        delay=faults.number(Fault.SLOW_ANSWER_S, prompt) or 0.0,
    )


def with_faults(
    pieces: Iterator[Piece], faults: Faults, prompt: str, runner: Runner, context: Context
) -> Iterator[Piece]:
    """The pieces as the faults leave them."""
    if not faults:
        yield from pieces
        return
    for fault, how in ((Fault.LEAK_MB_PER_REQUEST, "leak"), (Fault.MAP_MB_PER_REQUEST, "map")):
        size = faults.number(fault, prompt)
        if size:
            runner.grow(how, size)
    plan = _plan(faults, prompt)
    _wait(context, plan.first_delay)
    count = 0
    while not _is_ended(plan, count, runner, context):
        piece = next(pieces, None)
        if piece is None:
            return
        yield piece
        count += 1
        _wait(context, plan.delay)


def _is_ended(plan: _Plan, count: int, runner: Runner, context: Context) -> bool:
    if count == plan.wedge_after:
        context.wait()
        raise Cancelled
    if count == plan.error_after:
        raise EngineFailure(
            "an error was encountered while running the model: a fault of the embedded engine"
        )
    if count == plan.die_after:
        runner.close()
        text = "an error was encountered while running the model: unexpected EOF"
        raise EngineFailure(text if count else RUNNER_STOPPED_TEXT)
    return count == plan.end_after


def _wait(context: Context, seconds: float) -> None:
    if seconds > 0:
        context.wait(seconds)
        context.check()
