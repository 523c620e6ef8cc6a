"""The thresholds of ``[memory]`` held against each other and against what the models need.

Owns the arithmetic and its words. Never reads the machine: whoever knows its
memory hands it in, and without it percentages are held against nothing.

    needs(settings) -> each threshold in bytes -> Findings
"""

from __future__ import annotations

from collections.abc import Iterator

from ia0_daemon.settings.findings import Finding
from ia0_daemon.settings.schema import Settings
from ia0_daemon.settings.units import Amount, readable_size

# The measures that have a soft and a hard threshold, and whether less of it is worse.
_MEASURES = {"child_growth": False, "engine_growth": False, "engine_held": False, "available": True}


def findings(settings: Settings, capacity_bytes: int | None = None) -> Iterator[Finding]:
    """Everything that is wrong with the thresholds, on a machine of this size where it is known."""
    yield from _order(settings, capacity_bytes)
    # A percentage means a size only where the operator has said what the models hold: the defaults
    # are there for those who have not, on machines of every size.
    known = capacity_bytes if any(model.memory for model in settings.models.values()) else None
    yield from _growth(settings, known)
    yield from _held(settings, known)
    yield from _available(settings, known)


def model_needs(settings: Settings) -> dict[str, int]:
    """What the models that are loaded at once hold, the largest first, prompt caches apart."""
    sizes = {name: int(model.memory) for name, model in settings.models.items()}
    largest = sorted(sizes.items(), key=lambda item: -item[1])
    return dict(largest[: settings.memory.max_loaded_models or None])


def _order(settings: Settings, capacity: int | None) -> Iterator[Finding]:
    for measure, low_is_bad in _MEASURES.items():
        soft = getattr(settings.memory, f"{measure}_soft")
        hard = getattr(settings.memory, f"{measure}_hard")
        one, other = _comparable(soft, hard, capacity)
        if one is None or other is None or (one >= other if low_is_bad else one <= other):
            continue
        word = "below" if low_is_bad else "beyond"
        rule = f"is {word} memory.{measure}_hard ({hard}): it would be reached after it"
        yield Finding(f"memory.{measure}_soft", str(soft), rule, (f"memory.{measure}_hard",))


def _comparable(soft: Amount, hard: Amount, capacity: int | None) -> tuple[float | None, float | None]:
    """Both in the same unit, or None where there is none."""
    if capacity is not None:
        return soft.of(capacity), hard.of(capacity)
    if soft.percent is not None and hard.percent is not None:
        return soft.percent, hard.percent
    return soft.size, hard.size


def _growth(settings: Settings, capacity: int | None) -> Iterator[Finding]:
    """A prompt cache that is filled up to its bound is growth, and no fault."""
    cache, models = settings.memory.prompt_cache, len(model_needs(settings))
    one = f"one model's prompt cache may grow to {readable_size(cache)} (memory.prompt_cache)"
    total = f"{models} x {readable_size(cache)} = {readable_size(models * cache)}"
    all_of_them = f"the prompt caches of {models} loaded models may grow to {total} (memory.prompt_cache)"
    for level in ("soft", "hard"):
        yield from _below(settings, f"child_growth_{level}", cache, one, capacity)
        yield from _below(settings, f"engine_growth_{level}", models * cache, all_of_them, capacity)


def _held(settings: Settings, capacity: int | None) -> Iterator[Finding]:
    for level in ("soft", "hard"):
        yield from _below(settings, f"engine_held_{level}", _total(settings), _sum(settings), capacity)


def _available(settings: Settings, capacity: int | None) -> Iterator[Finding]:
    """What the models leave must be more than what must stay available."""
    if capacity is None:
        return
    left = capacity - _total(settings)
    for level in ("soft", "hard"):
        key = f"memory.available_{level}"
        amount = getattr(settings.memory, f"available_{level}")
        wanted = amount.of(capacity)
        if wanted is None or left >= wanted:
            continue
        rule = (
            f"{_in_bytes(amount, capacity)}is more than the models leave: {_sum(settings)}, "
            f"and {readable_size(capacity)} - {readable_size(_total(settings))} = {readable_size(left)}"
        )
        yield Finding(key, str(amount), rule, ("models", "memory.prompt_cache", "memory.max_loaded_models"))


def _below(settings: Settings, name: str, needed: int, why: str, capacity: int | None) -> Iterator[Finding]:
    amount: Amount = getattr(settings.memory, name)
    value = amount.size if capacity is None else amount.of(capacity)
    if value is None or value >= needed:
        return
    rule = f"{_in_bytes(amount, capacity)}is below what is needed: {why}"
    others = ("models", "memory.prompt_cache", "memory.max_loaded_models")
    yield Finding(f"memory.{name}", str(amount), rule, others)


def _in_bytes(amount: Amount, capacity: int | None) -> str:
    if amount.percent is None or capacity is None:
        return ""
    return f"({readable_size(amount.of(capacity) or 0)} of this machine's {readable_size(capacity)}) "


def _total(settings: Settings) -> int:
    needs = model_needs(settings)
    return sum(needs.values()) + len(needs) * settings.memory.prompt_cache


def _sum(settings: Settings) -> str:
    """The arithmetic: ``qwen2 6 GiB + llama 7 GiB + 2 x 1 GiB of prompt cache = 15 GiB``."""
    needs = model_needs(settings)
    parts = [f"{name} {readable_size(size)}" for name, size in needs.items() if size]
    parts.append(f"{len(needs)} x {readable_size(settings.memory.prompt_cache)} of prompt cache")
    return f"{' + '.join(parts)} = {readable_size(_total(settings))}"
