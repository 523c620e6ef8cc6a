"""What is to be done about a verdict now: a pure function.

    decide(verdict, state, now): is a restart due? -> what holds it back? -> Action

Owns every rule of the decision, and their order. `hard` restarts. `soft`
restarts only where a process has grown and no request is under way, since it
then costs nobody anything. A restart that would not give back what lacks is
refused: something else on the host uses the memory.
"""

from __future__ import annotations

from ia0_daemon.settings.units import readable_size
from ia0_daemon.supervisor.verdicts import Action, Reason, State, Verdict, Why


def decide(verdict: Verdict, state: State, now: float) -> Action:
    """Decide; `now` is on the clock of `state.cooldown_until`."""
    if state.remedy_running:
        return Action("none", "a restart is under way", Why.REMEDY_RUNNING)
    if verdict.level == "ok":
        return Action("none", "memory is below every threshold", Why.OK)
    cause = verdict.reasons[0].text
    held_back = _held_back(verdict, state, now)
    if verdict.level == "hard":
        if held_back is None:
            return Action("restart", cause, Why.HARD)
        code, why = held_back
        return Action("refuse", f"{cause}; no restart, since {why}", code)
    return _soft(verdict, state, held_back)


def _soft(verdict: Verdict, state: State, held_back: tuple[Why, str] | None) -> Action:
    """A soft threshold warns; what is held back then is no event of its own."""
    grown = next((reason for reason in verdict.reasons if reason.subject.measure.is_growth), None)
    if grown is not None and state.idle and held_back is None:
        return Action("restart", f"{grown.text}; no request is under way", Why.SOFT_IDLE)
    return Action("none", f"{verdict.reasons[0].text}: a warning", Why.SOFT)


def _held_back(verdict: Verdict, state: State, now: float) -> tuple[Why, str] | None:
    """The first thing that forbids a restart; what only a person can change stands first."""
    if state.observe_only:
        return Why.OBSERVE_ONLY, "this daemon only observes the engine"
    if state.failed:
        return Why.FAILED, "restarts were given up (`ia0 restart` tries again)"
    if state.drained:
        return Why.DRAINED, "an operator has drained this host"
    if state.pulling:
        return Why.PULLING, "a model is being pulled, and a restart would throw parts of it away"
    futile = _futile(verdict)
    if futile:
        return Why.FUTILE, futile
    if state.budget_left <= 0:
        return Why.BUDGET, "the budget of restarts is spent"
    if now < state.cooldown_until:
        return Why.COOLDOWN, f"the last one was too recent (another {state.cooldown_until - now:.0f} s)"
    return None


def _futile(verdict: Verdict) -> str:
    """Why a restart would not help; empty where it may."""
    worst = [reason for reason in verdict.reasons if reason.level == verdict.level]
    if verdict.recoverable_bytes is None or any(
        _helps(reason, verdict.recoverable_bytes) for reason in worst
    ):
        return ""
    return (
        f"it would give back about {readable_size(verdict.recoverable_bytes)}, "
        f"not the {readable_size(worst[0].lacking_bytes)} that lack: something else uses the memory"
    )


def _helps(reason: Reason, recoverable: int) -> bool:
    return reason.subject.measure.is_growth or recoverable >= reason.lacking_bytes
