"""Whether the engine holds too much: a pure function of samples, baselines and thresholds.

    judge(samples, baselines, thresholds, previous):
        values of each sample -> which level each measure is on -> the worst is the verdict

Owns every rule of the judgement. A level is entered when the last N samples are
all beyond its threshold, and left when the newest has come back by the
hysteresis; in between it stays what it was, which is why the previous verdict
counts. What is judged is held memory: page cache and mmapped weights are in no
value. Never decides what is done about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ia0_daemon.settings.units import readable_size
from ia0_daemon.supervisor.baseline import Baselines
from ia0_daemon.supervisor.samples import Sample
from ia0_daemon.supervisor.thresholds import LEVELS, Beyond, Thresholds
from ia0_daemon.supervisor.verdicts import Level, Measure, Reason, Subject, Verdict

Values = Mapping[Subject, int]


def judge(
    samples: Sequence[Sample],
    baselines: Baselines,
    thresholds: Thresholds,
    previous: Verdict = Verdict(),  # noqa: B008  # frozen
) -> Verdict:
    """Judge the newest of the samples (the last); `previous` is the verdict before it."""
    if not samples:
        return previous
    history = [values(sample, baselines) for sample in samples]
    before = {reason.subject: reason.level for reason in previous.reasons}
    reasons = [
        _reason(subject, level, value, baselines, thresholds)
        for subject, value in history[-1].items()
        if (level := _level(subject, history, thresholds, before.get(subject))) is not None
    ]
    reasons.sort(key=lambda reason: (reason.level != "hard", -_excess(reason)))
    worst: Level = reasons[0].level if reasons else "ok"
    return Verdict(worst, tuple(reasons), recoverable(samples[-1], baselines))


def values(sample: Sample, baselines: Baselines) -> dict[Subject, int]:
    """Everything of a sample that is held against a threshold."""
    found = {Subject(Measure.AVAILABLE): sample.host.headroom_bytes}
    engine = sample.engine
    if engine is None:
        return found
    found[Subject(Measure.ENGINE_HELD, engine.identity)] = engine.held_bytes
    found[Subject(Measure.ENGINE_GROWTH, engine.identity)] = baselines.engine_growth(engine)
    for child in engine.children:
        growth = baselines.growth(child.identity, child.held_bytes)
        if growth is not None:
            found[Subject(Measure.CHILD_GROWTH, child.identity, child.tag)] = growth
    return found


def recoverable(sample: Sample, baselines: Baselines) -> int | None:
    """What a restart would give back; None where a baseline may itself hold a leak."""
    if sample.engine is None:
        return 0
    known = [baselines.known.get(child.identity) for child in sample.engine.children]
    if any(each is not None and each.origin in {"assumed", "overdue"} for each in known):
        return None
    return baselines.engine_growth(sample.engine)


def _level(
    subject: Subject, history: Sequence[Values], thresholds: Thresholds, before: Beyond | None
) -> Beyond | None:
    """The highest level that is entered, or still held from before."""
    for level in LEVELS:
        limit = thresholds.limit(subject.measure, level)
        if limit is None:
            continue
        # Who was hard is soft as well.
        if before == "hard" or before == level:
            line, count = thresholds.way_back(subject.measure, level), 1
        else:
            line, count = limit, thresholds.samples[level]
        if _all_beyond(subject, history, line, count):
            return level
    return None


def _all_beyond(subject: Subject, history: Sequence[Values], line: int, count: int) -> bool:
    """Whether the last `count` samples all have the subject, and beyond the line."""
    last = [each.get(subject) for each in history[-count:]]
    return len(last) == count and all(
        value is not None and (value < line if subject.measure.low_is_bad else value > line) for value in last
    )


def _excess(reason: Reason) -> float:
    return reason.lacking_bytes / max(1, reason.threshold_bytes)


def _reason(
    subject: Subject, level: Beyond, value: int, baselines: Baselines, thresholds: Thresholds
) -> Reason:
    threshold = thresholds.bytes_of[subject.measure, level]
    lacking = abs(value - thresholds.way_back(subject.measure, level))
    what = _sentence(subject, value, baselines)
    side = "below" if subject.measure.low_is_bad else "beyond"
    text = f"{what}, {side} the {level} threshold of {readable_size(threshold)}"
    if not _is_past(subject.measure, value, threshold):
        text = f"{what}: not far enough back from the {level} threshold of {readable_size(threshold)}"
    return Reason(level, subject, value, threshold, lacking, text)


def _is_past(measure: Measure, value: int, threshold: int) -> bool:
    return value < threshold if measure.low_is_bad else value > threshold


def _sentence(subject: Subject, value: int, baselines: Baselines) -> str:
    size = readable_size(value)
    if subject.measure is Measure.AVAILABLE:
        return f"{size} of memory are available"
    if subject.measure is Measure.ENGINE_HELD:
        return f"the engine holds {size}"
    if subject.measure is Measure.ENGINE_GROWTH:
        return f"the engine has grown by {size} since its models were loaded"
    baseline = baselines.known.get(subject.owner) if subject.owner else None
    over = "" if baseline is None else f" over the {readable_size(baseline.held_bytes)} after loading"
    pid = "" if subject.owner is None else f" (pid {subject.owner.pid})"
    return f"{subject.tag}{pid} has grown by {size}{over}"
