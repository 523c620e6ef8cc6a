"""What each process of the engine held when it had loaded: what growth is counted from.

Owns the rule by which a baseline is found, and its form for the disk. Pure:
never reads a process or a file.

    follow(baselines, sample): new process -> followed until it has settled -> Baseline

A process that says that it has loaded has settled after `memory.settle_samples`
samples; the baseline is the smallest of them. One that does not say so has
settled when it held the same for four times as many: a load that waits for a
slow disk looks settled for a while. A child that is restarted is a new process,
with a new baseline. Growth is judged only where there is a baseline, so one is
taken after `memory.settle_limit_s` in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec

from ia0_daemon.settings.schema import Memory
from ia0_daemon.supervisor.samples import EngineTree, Identity, Sample

Origin = Literal["measured", "stored", "assumed", "overdue"]

# How many times more samples a process must stay the same that does not say when it has loaded.
UNSAID_FACTOR = 4
# What counts as the same: answers come and go in the meantime.
SAME_PERCENT = 1
SAME_BYTES = 8 * 2**20
# A process that is not seen for so long is gone; until then a sample may just have missed it.
FORGET_S = 600.0


@dataclass(frozen=True)
class Baseline:
    """What a process held after loading."""

    owner: Identity
    tag: str
    """Its model; empty for the processes of the engine that have none."""
    held_bytes: int
    origin: Origin
    """`assumed`: the daemon came later than the process. `overdue`: it never settled."""
    seen_at: float = 0.0


@dataclass(frozen=True)
class Following:
    """A process that has no baseline yet."""

    owner: Identity
    tag: str
    since: float
    is_late: bool
    """It was there before the first sample."""
    has_loaded: bool = False
    """It has said so; what it held before that does not count."""
    held: tuple[int, ...] = ()
    seen_at: float = 0.0


@dataclass(frozen=True)
class Baselines:
    """The baselines of all processes, and those that are on their way."""

    known: Mapping[Identity, Baseline] = field(default_factory=dict)
    following: Mapping[Identity, Following] = field(default_factory=dict)
    has_begun: bool = False
    """Whether a sample has been seen; what the first one shows is older than the daemon."""

    def growth(self, owner: Identity, held_bytes: int) -> int | None:
        """What a process holds more than after loading; None where that is not known yet."""
        baseline = self.known.get(owner)
        return None if baseline is None else max(0, held_bytes - baseline.held_bytes)

    def engine_growth(self, engine: EngineTree) -> int:
        """The growth of all processes of the engine that have a baseline."""
        return sum(self.growth(each.owner, each.held_bytes) or 0 for each in parts(engine))


@dataclass(frozen=True)
class Part:
    """One of the things of an engine that have a baseline each: a child, or all that is no child."""

    owner: Identity
    tag: str
    held_bytes: int
    loaded: bool | None


def parts(engine: EngineTree) -> Iterator[Part]:
    """The children, and the rest under the parent's name."""
    for child in engine.children:
        yield Part(child.identity, child.tag, child.held_bytes, child.loaded)
    yield Part(engine.identity, "", engine.rest_bytes, None)


def follow(old: Baselines, sample: Sample, memory: Memory) -> Baselines:
    """The baselines in the light of one more sample."""
    now = sample.at_monotonic
    known = {owner: each for owner, each in old.known.items() if now - each.seen_at <= FORGET_S}
    following = {owner: each for owner, each in old.following.items() if now - each.seen_at <= FORGET_S}
    for part in parts(sample.engine) if sample.engine else ():
        if part.owner in known:
            known[part.owner] = replace(known[part.owner], tag=part.tag, seen_at=now)
            continue
        before = following.pop(part.owner, None) or Following(part.owner, part.tag, now, not old.has_begun)
        after = _seen(before, part, memory, now)
        baseline = _settled(after, part, memory, now)
        if baseline is None:
            following[part.owner] = after
        else:
            known[part.owner] = baseline
    return Baselines(known, following, has_begun=True)


def _seen(before: Following, part: Part, memory: Memory, now: float) -> Following:
    """One more value; those of a process that is still loading say nothing."""
    if part.loaded is False:
        return replace(before, held=(), seen_at=now)
    has_loaded = before.has_loaded or part.loaded is True
    held = before.held if has_loaded == before.has_loaded else ()
    held = (*held, part.held_bytes)[-_needed(memory, has_loaded) :]
    return replace(before, held=held, has_loaded=has_loaded, seen_at=now)


def _settled(after: Following, part: Part, memory: Memory, now: float) -> Baseline | None:
    origin: Origin = "assumed" if after.is_late else "measured"
    if len(after.held) >= _needed(memory, after.has_loaded) and (after.has_loaded or _same(after.held)):
        return Baseline(part.owner, part.tag, min(after.held), origin, now)
    if now - after.since >= memory.settle_limit_s:
        return Baseline(part.owner, part.tag, min(after.held, default=part.held_bytes), "overdue", now)
    return None


def _needed(memory: Memory, has_loaded: bool) -> int:
    return memory.settle_samples * (1 if has_loaded else UNSAID_FACTOR)


def _same(values: tuple[int, ...]) -> bool:
    return max(values) - min(values) <= max(SAME_BYTES, max(values) * SAME_PERCENT // 100)


class _Stored(msgspec.Struct, frozen=True):
    """One baseline on the disk."""

    pid: int
    started: int
    tag: str
    held_bytes: int


class _File(msgspec.Struct, frozen=True):
    boot_id: str
    baselines: list[_Stored]


def to_builtins(baselines: Baselines, boot_id: str) -> dict[str, object]:
    """The baselines for the disk. Start times count from the boot, hence its id."""
    stored = [
        {"pid": owner.pid, "started": owner.started, "tag": each.tag, "held_bytes": each.held_bytes}
        for owner, each in baselines.known.items()
        # An assumed one is worth no more after the next start of the daemon.
        if each.origin in {"measured", "stored"}
    ]
    return {"boot_id": boot_id, "baselines": stored}


def from_builtins(value: object, boot_id: str, now: float) -> Baselines:
    """The baselines of processes that may still run; none where the value is foreign or of another boot."""
    try:
        file = msgspec.convert(value, _File)
    except msgspec.ValidationError:
        return Baselines()
    if file.boot_id != boot_id:
        return Baselines()
    known = {
        (owner := Identity(each.pid, each.started)): Baseline(owner, each.tag, each.held_bytes, "stored", now)
        for each in file.baselines
    }
    return Baselines(known)
