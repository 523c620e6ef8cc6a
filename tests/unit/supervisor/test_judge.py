"""Levels are entered when it lasts, left when it has come back, and never for page cache."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.settings.schema import Memory
from ia0_daemon.settings.units import Amount
from ia0_daemon.supervisor.judge import judge
from ia0_daemon.supervisor.samples import Host, Sample
from ia0_daemon.supervisor.thresholds import resolve
from ia0_daemon.supervisor.verdicts import Level, Measure, Verdict
from tests.unit.supervisor.memory_builders import GIB, MIB, baselines, child, sample

HOST = Host(total_bytes=100 * GIB, available_bytes=80 * GIB)
# One measure at a time: child growth 10 and 20 GiB, left at 9 and 18.
MEMORY = Memory(
    soft_samples=3,
    hard_samples=2,
    child_growth_soft=Amount("10GiB"),
    child_growth_hard=Amount("20GiB"),
    **{
        f"{measure}_{level}": Amount("off")
        for measure in ("engine_growth", "engine_held", "available")
        for level in ("soft", "hard")
    },  # type: ignore[arg-type]  # keywords of many types
)
LOADED = baselines([child(GIB)])


def at(growth_gib: float, host: Host = HOST) -> Sample:
    return sample(child(GIB + int(growth_gib * GIB)), host=host)


def run(growths: list[float], memory: Memory = MEMORY) -> list[Level]:
    """The level after each sample, as the ticks would have it."""
    seen: list[Sample] = []
    verdict, levels = Verdict(), []
    for growth in growths:
        seen.append(at(growth))
        verdict = judge(
            seen[-max(memory.soft_samples, memory.hard_samples) :], LOADED, resolve(memory, HOST), verdict
        )
        levels.append(verdict.level)
    return levels


@pytest.mark.parametrize(
    ("growths", "levels"),
    [
        ([0, 0, 0], "ok ok ok"),
        ([11, 11, 11], "ok ok soft"),
        ([11, 11, 9.5, 11, 11], "ok ok ok ok ok"),
        ([11, 11, 11, 9.5, 9.5, 8.9, 9.5], "ok ok soft soft soft ok ok"),
        ([21, 21], "ok hard"),
        ([21, 21, 19, 18.5, 17.9], "ok hard hard hard soft"),
        ([21, 21, 17, 17, 8], "ok hard soft soft ok"),
        ([21, 21, 8, 21, 21], "ok hard ok ok hard"),
        ([11, 21, 11, 21, 21], "ok ok soft soft hard"),
        ([10, 10, 10], "ok ok ok"),
    ],
)
def test_levels(growths: list[float], levels: str) -> None:
    assert run(growths) == levels.split()


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=30))
def test_a_level_is_entered_only_when_it_has_lasted_and_left_only_when_it_has_come_back(
    growths: list[float],
) -> None:
    before: Level = "ok"
    for index, level in enumerate(run(growths)):
        if level == "hard" and before != "hard":
            assert min(growths[index - 1 : index + 1]) > 19.99
        if level == "soft" and before == "ok":
            assert min(growths[index - 2 : index + 1]) > 9.99
        if before == "hard" and level != "hard":
            assert growths[index] <= 18.01
        if before != "ok" and level == "ok":
            assert growths[index] <= 9.01
        before = level


@given(st.lists(st.floats(min_value=0, max_value=9.99), max_size=30))
def test_below_every_threshold_all_is_well(growths: list[float]) -> None:
    assert set(run(growths)) <= {"ok"}


@given(st.lists(st.floats(min_value=9.1, max_value=9.9), min_size=1, max_size=30))
def test_within_the_hysteresis_a_level_stays_what_it_was(growths: list[float]) -> None:
    assert set(run([11, 11, 11, *growths])[2:]) == {"soft"}
    assert set(run(growths)) == {"ok"}


@given(st.integers(min_value=0, max_value=2**50), st.integers(min_value=0, max_value=2**50))
def test_mmapped_weights_and_page_cache_are_in_no_value(mapped: int, cache: int) -> None:
    one = child(GIB)
    plain, other = sample(one, host=HOST), sample(replace(one, rss_file_bytes=mapped), host=HOST)
    thresholds = resolve(Memory(), HOST)
    assert judge([plain], LOADED, thresholds) == judge([other], LOADED, thresholds)


def test_swap_counts_as_held() -> None:
    swapped = [sample(replace(child(MIB), swap_bytes=25 * GIB), host=HOST)] * 2
    assert judge(swapped, LOADED, resolve(MEMORY, HOST)).level == "hard"


def test_a_child_without_a_baseline_is_not_judged() -> None:
    assert judge([at(50)] * 5, baselines([]), resolve(MEMORY, HOST)).level == "ok"


def test_a_new_child_with_the_same_pid_is_judged_anew() -> None:
    thresholds = resolve(MEMORY, HOST)
    verdict = judge([at(21)] * 2, LOADED, thresholds)
    again = child(15 * GIB, started=77)
    assert judge([at(21), sample(again)], baselines([again]), thresholds, verdict).level == "ok"


def only(**amounts: str) -> Memory:
    """A configuration in which everything is off but this."""
    off = {f"{measure}_{level}": "off" for measure in Measure for level in ("soft", "hard")}
    return Memory(hard_samples=1, **{key: Amount(value) for key, value in (off | amounts).items()})  # type: ignore[arg-type]  # keywords of many types


@pytest.mark.parametrize(
    ("memory", "here", "text"),
    [
        (
            only(child_growth_hard="5%"),
            at(6),
            "m:1 (pid 101) has grown by 6 GiB over the 1 GiB after loading",
        ),
        (
            only(engine_growth_hard="5GiB"),
            at(6),
            "the engine has grown by 6 GiB since its models were loaded",
        ),
        (only(engine_held_hard="6%"), at(6), "the engine holds 7 GiB"),
        (only(available_hard="85%"), at(0), "80 GiB of memory are available"),
    ],
)
def test_every_measure_is_told_in_words(memory: Memory, here: Sample, text: str) -> None:
    (reason,) = judge([here], LOADED, resolve(memory, HOST)).reasons
    assert reason.text.startswith(text)
    assert "the hard threshold of" in reason.text


def test_the_growth_of_all_children_together_is_the_engines() -> None:
    two = [child(GIB, 101), child(GIB, 102, "n:1")]
    grown = sample(child(4 * GIB, 101), child(4 * GIB, 102, "n:1"), rest=GIB, host=HOST)
    (reason,) = judge([grown], baselines(two), resolve(only(engine_growth_hard="6.5GiB"), HOST)).reasons
    assert (reason.subject.measure, reason.value_bytes) == (Measure.ENGINE_GROWTH, 7 * GIB)


def test_what_is_available_is_judged_against_the_lower_of_host_and_limit() -> None:
    limited = replace(HOST, limit_bytes=10 * GIB, limit_used_bytes=GIB * 19 // 2)
    memory = only(available_hard="10%")
    assert judge([at(0, limited)], LOADED, resolve(memory, limited)).level == "hard"
    assert judge([at(0)], LOADED, resolve(memory, HOST)).level == "ok"


def test_the_worst_reason_stands_first() -> None:
    memory = only(engine_held_soft="1GiB", child_growth_hard="1GiB")
    memory = msgspec.structs.replace(memory, soft_samples=1)
    verdict = judge([at(30)], LOADED, resolve(memory, HOST))
    assert [reason.level for reason in verdict.reasons] == ["hard", "soft"]


def test_what_a_restart_would_give_back_is_the_growth() -> None:
    assert judge([at(6)], LOADED, resolve(MEMORY, HOST)).recoverable_bytes == 6 * GIB


def test_over_an_assumed_baseline_nobody_knows_what_a_restart_would_give_back() -> None:
    assumed = baselines([child(GIB)], origin="assumed")
    assert judge([at(6)], assumed, resolve(MEMORY, HOST)).recoverable_bytes is None


@pytest.mark.parametrize("total_gib", [24, 64])
def test_a_healthy_engine_with_two_models_is_well_by_default(total_gib: int) -> None:
    """Two 8B models on the CPU of a machine of 24 GiB, prompt caches full."""
    loaded = [child(5 * GIB, 101), child(6 * GIB, 102, "n:1")]
    full = sample(
        child(6 * GIB, 101),
        child(7 * GIB, 102, "n:1"),
        rest=100 * MIB,
        host=Host(total_bytes=total_gib * GIB, available_bytes=(total_gib - 14) * GIB),
    )
    assert judge([full] * 10, baselines(loaded), resolve(Memory(), full.host)).level == "ok"
