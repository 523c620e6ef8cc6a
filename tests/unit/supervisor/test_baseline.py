"""A baseline is what a process held after loading, and lasts as long as the process."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from ia0_daemon.settings.schema import Memory
from ia0_daemon.settings.units import Seconds
from ia0_daemon.supervisor.baseline import FORGET_S, Baselines, follow, from_builtins, to_builtins
from ia0_daemon.supervisor.samples import Identity, Sample
from tests.unit.supervisor.memory_builders import GIB, MIB, PARENT, child, sample

MEMORY = Memory(settle_samples=3, settle_limit_s=Seconds(100))
OWNER = Identity(101, 5)
BEGUN = Baselines(has_begun=True)


def followed(samples: Iterable[Sample], start: Baselines = BEGUN) -> Baselines:
    now = start
    for each in samples:
        now = follow(now, each, MEMORY)
    return now


def held(values: Iterable[int], loaded: bool | None = True, start: float = 0.0) -> list[Sample]:
    return [sample(child(value, loaded=loaded), at=start + index) for index, value in enumerate(values)]


def test_it_is_the_smallest_of_the_first_samples_after_loading() -> None:
    found = followed(held([GIB + 9, GIB, GIB + 5, 3 * GIB])).known[OWNER]
    assert (found.held_bytes, found.origin, found.tag) == (GIB, "measured", "m:1")


def test_until_then_there_is_no_growth_to_judge() -> None:
    now = followed(held([GIB, 2 * GIB]))
    assert now.growth(OWNER, 2 * GIB) is None
    engine = sample(child(2 * GIB)).engine
    assert engine is not None
    assert now.engine_growth(engine) == 0


def test_what_is_held_while_loading_does_not_count() -> None:
    loading = held([MIB] * 50, loaded=False)
    assert followed(loading + held([GIB] * 3, start=50)).known[OWNER].held_bytes == GIB


def test_what_was_held_before_it_said_that_it_has_loaded_does_not_count() -> None:
    unsaid = held([MIB] * 5, loaded=None)
    now = followed(unsaid + held([GIB] * 2, start=5))
    assert OWNER not in now.known
    assert followed(held([GIB], start=7), now).known[OWNER].held_bytes == GIB


def test_who_does_not_say_so_has_settled_when_it_stays_the_same_for_long() -> None:
    climbing = [index * 100 * MIB for index in range(20)]
    assert OWNER not in followed(held(climbing, loaded=None)).known
    now = followed(held([*climbing, *[2 * GIB] * 11], loaded=None))
    assert OWNER not in now.known
    assert followed(held([2 * GIB], loaded=None, start=31), now).known[OWNER].held_bytes == 2 * GIB


def test_one_that_never_settles_has_a_baseline_in_the_end() -> None:
    climbing = [index * 100 * MIB for index in range(101)]
    found = followed(held(climbing, loaded=None)).known[OWNER]
    assert (found.origin, found.held_bytes) == ("overdue", 8900 * MIB)


def test_one_that_never_loads_has_a_baseline_in_the_end() -> None:
    assert followed(held([GIB] * 101, loaded=False)).known[OWNER].origin == "overdue"


def test_a_restarted_child_has_a_new_baseline() -> None:
    now = followed(held([GIB] * 3))
    again = [sample(child(2 * GIB, started=6), at=10 + index) for index in range(3)]
    now = followed(again, now)
    assert now.growth(Identity(101, 6), 3 * GIB) == GIB


def test_growth_is_never_negative() -> None:
    assert followed(held([GIB] * 3)).growth(OWNER, MIB) == 0


def test_a_process_that_a_sample_missed_keeps_its_baseline_for_a_while() -> None:
    now = followed(held([GIB] * 3))
    assert OWNER in followed([sample(at=FORGET_S)], now).known
    assert OWNER not in followed([sample(at=FORGET_S + 3)], now).known


def test_without_an_engine_nothing_happens() -> None:
    nothing = Sample(0.0, None, sample().host)
    assert followed([nothing] * 3).known == {}


def test_processes_without_a_model_have_one_baseline_together() -> None:
    now = followed(sample(at=index, rest=50 * MIB) for index in range(12))
    assert now.known[Identity(PARENT, 1)].held_bytes == 50 * MIB
    grown = sample(rest=80 * MIB).engine
    assert grown is not None
    assert now.engine_growth(grown) == 30 * MIB


def test_what_is_older_than_the_daemon_has_an_assumed_baseline_and_says_so() -> None:
    now = followed(held([5 * GIB] * 3), Baselines())
    assert now.known[OWNER].origin == "assumed"


def test_a_restart_of_the_daemon_keeps_the_baselines_of_processes_that_still_run() -> None:
    text = msgspec.json.encode(to_builtins(followed(held([GIB] * 3)), "boot-1"))
    now = from_builtins(msgspec.json.decode(text), "boot-1", now=50.0)
    now = followed(held([5 * GIB], start=50), now)
    assert now.known[OWNER].origin == "stored"
    assert now.growth(OWNER, 5 * GIB) == 4 * GIB


def test_a_stored_baseline_is_not_another_processs() -> None:
    stored = to_builtins(followed(held([GIB] * 3)), "boot-1")
    now = followed([sample(child(5 * GIB, started=99))], from_builtins(stored, "boot-1", 0.0))
    assert now.growth(Identity(101, 99), 6 * GIB) is None


def test_another_boots_baselines_are_worth_nothing() -> None:
    stored = to_builtins(followed(held([GIB] * 3)), "boot-1")
    assert from_builtins(stored, "boot-2", 0.0).known == {}


@pytest.mark.parametrize("value", [None, [], {}, "x", {"boot_id": "b", "baselines": [{"pid": "x"}]}])
def test_a_foreign_file_is_no_baseline(value: object) -> None:
    assert from_builtins(value, "b", 0.0).known == {}


def test_an_assumed_baseline_is_not_stored() -> None:
    assert to_builtins(followed(held([GIB] * 3), Baselines()), "b")["baselines"] == []
