"""A real leak in the real engine is restarted under load with nothing lost; its twin is left alone.

Both have the same engine, the same callers, the same thresholds, and grow by the
same size with the same answers: one by anonymous memory, the other by page cache and
mapped files, as weights are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.chaos.agree import Counts
from tests.chaos.clients import Outcome
from tests.chaos.scenarios import judge
from tests.chaos.seams import bad_seams
from tests.chaos.world import World
from tests.integration.supervisor.conftest import calling, events, wait_for_event, watched

MIB = 2**20
GROWN_MIB, SOFT, HARD = 96, "120MiB", "240MiB"
# Every sixth answer grows it. Were it every one, those that a restart cut would call for the next restart.
GROWS_WITH = "bicycle"
# As many as half of those of `make chaos`, for these tests run beside others, and most of them
# streams: whenever memory asks for its restart, long answers are under way.
PLAIN, STREAMS, WRITING = 4, 8, 2
THRESHOLDS: dict[str, dict[str, object]] = {
    "memory": {
        "child_growth_soft": SOFT,
        "child_growth_hard": HARD,
        "engine_growth_soft": SOFT,
        "engine_growth_hard": HARD,
        "soft_samples": 2,
        "hard_samples": 2,
    }
}


@contextmanager
def growing(folder: Path, fault: str) -> Iterator[World]:
    """An engine of which a model's process grows with each answer."""
    env = {f"IA0_ENGINE_FAULT_{fault}": f"{GROWN_MIB};when={GROWS_WITH}", "OLLAMA_NUM_PARALLEL": "8"}
    with watched(folder, env, THRESHOLDS) as made:
        yield made


def mapped(made: World) -> int:
    """What the model's process has of files in its memory, weights above all."""
    return sum(psutil.Process(pid).memory_info().shared for pid in made.child_pids())


def details(event: dict[str, object]) -> dict[str, int]:
    found = event["details"]
    assert isinstance(found, dict)
    return found


def all_answered(outcomes: list[Outcome], made: World) -> Counts:
    """Nothing is lost, no seam is wrong, and clients, daemon and engine say the same."""
    counts, faults = judge(outcomes, made)
    assert faults + bad_seams(outcomes) == []
    assert counts.answered == len(outcomes) >= PLAIN + STREAMS
    return counts


def test_a_leak_is_restarted_under_load_and_nobody_loses_an_answer(tmp_path: Path) -> None:
    with growing(tmp_path, "LEAK_MB_PER_REQUEST") as made:
        with calling(made, PLAIN, STREAMS, WRITING) as outcomes:
            wait_for_event(made, "engine_restarted", 0)
        counts = all_answered(outcomes, made)
        told = [details(event) for event in events(made, "engine_restarted")]
        assert {each["cause"] for each in told} == {"memory"}
        assert told[0]["in_flight"] >= 4  # every slot; the others wait in the daemon's queue
        assert sum(each["went_on"] for each in told) >= 1
        assert counts.went_on >= 1
        assert [each["failed"] for each in told] == [0] * len(told)
        assert f"beyond the hard threshold of {HARD[:3]} MiB" in str(
            events(made, "restart_started")[0]["message"]
        )
        assert events(made, "engine_crashed") == []


def test_its_twin_whose_page_cache_and_mapped_files_double_is_left_alone(tmp_path: Path) -> None:
    with growing(tmp_path, "MAP_MB_PER_REQUEST") as made:
        before = mapped(made)
        with calling(made, PLAIN, STREAMS, WRITING) as outcomes:
            # As anonymous memory it would be far beyond the hard threshold.
            enough = max(2 * before, before + 1.1 * int(HARD[:3]) * MIB)
            made.daemon.wait_for(lambda: mapped(made) > enough)
            ticked = beats(made)
            made.daemon.wait_for(lambda: beats(made) > ticked + 2)
        all_answered(outcomes, made)
        assert mapped(made) > enough
        assert events(made, "restart_started") == []
        assert events(made, "memory_soft") == []
        assert events(made, "memory_hard") == []


def beats(made: World) -> float:
    """When the daemon last proved that its ticks go on."""
    return made.daemon.metric("ia0_heartbeat_timestamp_seconds")
