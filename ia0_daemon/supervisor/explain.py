"""What the supervisor would do now and why, for a person: pure.

    account(view, state, now): sample, baselines -> distances to thresholds -> verdict -> action -> obstacles

Owns the words of `ia0 supervisor explain`. Every sentence comes from the same
judgement and decision that the ticks use. Never reads anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from ia0_daemon.settings.units import readable_size
from ia0_daemon.supervisor.baseline import Baseline, parts
from ia0_daemon.supervisor.decide import decide
from ia0_daemon.supervisor.judge import values
from ia0_daemon.supervisor.samples import Child, Host
from ia0_daemon.supervisor.sense import View
from ia0_daemon.supervisor.thresholds import LEVELS, Beyond, Thresholds
from ia0_daemon.supervisor.verdicts import Measure, State, Subject

_ORIGINS = {
    "measured": "measured after loading",
    "stored": "measured after loading, before the daemon was restarted",
    "assumed": "ASSUMED: the daemon came later than the process and took what it then held",
    "overdue": "taken at the limit of memory.settle_limit_s: it never settled",
}
_NAMES = {
    Measure.CHILD_GROWTH: "growth of",
    Measure.ENGINE_GROWTH: "growth of the engine",
    Measure.ENGINE_HELD: "held by the engine",
    Measure.AVAILABLE: "available memory",
}


def account(view: View | None, state: State, now: float) -> list[str]:
    """The whole account, line by line; `now` is on the clock of the samples and of the state."""
    if view is None:
        return ["No sample has been taken yet."]
    return [
        f"Sample, {max(0.0, now - view.sample.at_monotonic):.0f} s old:",
        *_indented(_seen(view)),
        "Thresholds (soft warns, hard restarts):",
        *_indented(_distances(view)),
        f"Verdict: {view.verdict.level}",
        *_indented(f"{reason.level}: {reason.text}" for reason in view.verdict.reasons),
        "Now:",
        *_indented(_action(view, state, now)),
        "What would hold a restart back:",
        *_indented(_obstacles(state, now)),
    ]


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _seen(view: View) -> Iterator[str]:
    sample = view.sample
    yield from _engine(view)
    yield _host(sample.host)
    for gpu in sample.gpus:
        used, total = readable_size(gpu.used_bytes), readable_size(gpu.total_bytes)
        yield f"GPU {gpu.index} ({gpu.name}): {used} of {total} used"
    for disk in sample.disks:
        free, total = readable_size(disk.free_bytes), readable_size(disk.total_bytes)
        yield f"disk of {disk.path}: {free} of {total} free"
    if sample.pulling:
        yield "a model is being pulled"


def _engine(view: View) -> Iterator[str]:
    engine = view.sample.engine
    if engine is None:
        yield "no engine runs on this machine"
        return
    yield f"the engine (pid {engine.pid}) holds {readable_size(engine.held_bytes)} with all its processes"
    for child in engine.children:
        yield _child(child, view.baselines.known.get(child.identity), view)
    if not engine.children:
        yield "no model is loaded"
    rest = next(part for part in parts(engine) if part.owner == engine.identity)
    yield f"its processes without a model: {readable_size(rest.held_bytes)} held"


def _child(child: Child, baseline: Baseline | None, view: View) -> str:
    held = f"{child.tag} (pid {child.pid}): {readable_size(child.held_bytes)} held"
    if child.swap_bytes:
        held += f", of it {readable_size(child.swap_bytes)} in swap"
    mapped = f"; {readable_size(child.rss_file_bytes)} of mapped files do not count"
    if baseline is None:
        return f"{held}, no baseline yet (it is loading or settling){mapped}"
    growth = view.baselines.growth(child.identity, child.held_bytes) or 0
    base = f"baseline {readable_size(baseline.held_bytes)} ({_ORIGINS[baseline.origin]})"
    return f"{held}, {base}, growth {readable_size(growth)}{mapped}"


def _host(host: Host) -> str:
    text = f"host: {readable_size(host.available_bytes)} of {readable_size(host.total_bytes)} available"
    if host.swap_total_bytes:
        text += f", {readable_size(host.swap_used_bytes)} of {readable_size(host.swap_total_bytes)} swap used"
    if host.limit_bytes is None or host.limit_used_bytes is None:
        return f"{text}; no limit around the engine"
    used, limit = readable_size(host.limit_used_bytes), readable_size(host.limit_bytes)
    return f"{text}; {used} of the engine's limit of {limit} used without file cache ({host.limit_source})"


def _distances(view: View) -> Iterator[str]:
    for subject, value in values(view.sample, view.baselines).items():
        ends = [end for level in LEVELS if (end := _distance(subject, value, level, view.thresholds))]
        name = f"{_NAMES[subject.measure]} {subject.tag}".strip()
        yield f"{name}: {readable_size(value)}; {', '.join(reversed(ends)) or 'off'}"


def _distance(subject: Subject, value: int, level: Beyond, thresholds: Thresholds) -> str:
    limit = thresholds.limit(subject.measure, level)
    if limit is None:
        return ""
    left = value - limit if subject.measure.low_is_bad else limit - value
    where = f"{readable_size(left)} away" if left >= 0 else f"passed by {readable_size(-left)}"
    return f"{level} {readable_size(limit)} ({where})"


def _action(view: View, state: State, now: float) -> Iterator[str]:
    action = decide(view.verdict, state, now)
    yield {"none": "nothing", "restart": "restart the engine", "refuse": "no restart, although one is due"}[
        action.kind
    ]
    yield f"because {action.why}"
    if view.verdict.recoverable_bytes is None:
        yield "what a restart would give back is not known: a baseline is only assumed"
    else:
        yield f"a restart would give back about {readable_size(view.verdict.recoverable_bytes)}"


def _obstacles(state: State, now: float) -> Iterator[str]:
    found = {
        "the daemon only observes this engine": state.observe_only,
        "restarts were given up (FAILED); `ia0 restart` tries again": state.failed,
        "an operator has drained this host": state.drained,
        "a model is being pulled": state.pulling,
        "a restart is under way": state.remedy_running,
        "the budget of restarts is spent": state.budget_left <= 0,
        f"the last restart was too recent: another {state.cooldown_until - now:.0f} s": now
        < state.cooldown_until,
    }
    obstacles = [text for text, holds in found.items() if holds]
    yield from obstacles or [f"nothing; restarts left in the budget: {state.budget_left}"]
