"""A real daemon that may restart the real engine behind it, and a few callers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.chaos.clients import Callers, Outcome
from tests.chaos.world import World, world
from tests.daemon_process import Sections

ENGINE = {
    "OLLAMA_NUM_PARALLEL": "4",
    "OLLAMA_CONTEXT_LENGTH": "512",
    "LLAMA_ARG_THREADS": "1",
    # What it keeps of prompts is growth, too; without it a leak is the only one.
    "LLAMA_ARG_CACHE_RAM": "0",
    # On a fast, idle core whole answers would fit into the drain, and a restart would cut none.
    "IA0_ENGINE_FAULT_SLOW_ANSWER_S": "0.02",
}
SECTIONS: dict[str, dict[str, object]] = {
    "engine": {"poll_interval_s": 0.5, "timeout_s": 120, "first_token_timeout_s": 180},
    "memory": {"sample_interval_s": 0.5, "prompt_cache": 0},
    "restart": {
        # Shorter than a stream: each restart cuts some.
        "drain_timeout_s": 0.2,
        "stall_s": 60,
        "cooldown_s": 0,
        "max_restarts": 100,
        "max_resumes": 20,
    },
    "models.small": {"num_ctx": 512},
}

MakeWorld = Callable[..., AbstractContextManager[World]]


@contextmanager
def watched(
    folder: Path, engine_env: dict[str, str] | None = None, sections: Sections | None = None
) -> Iterator[World]:
    """One engine and one daemon with these changes."""
    changed = {name: dict(values) for name, values in SECTIONS.items()}
    for name, values in (sections or {}).items():
        changed.setdefault(name, {}).update(values)
    with world(folder, ENGINE | (engine_env or {}), changed) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for tests that leave it as it was.

    Its engine takes seconds to answer after a start, and never answers a prompt with the word HOLD.
    """
    faults = {"IA0_ENGINE_FAULT_SLOW_START_S": "2", "IA0_ENGINE_FAULT_WEDGE": "1;when=HOLD"}
    with watched(tmp_path_factory.mktemp("world"), faults) as made:
        yield made


@contextmanager
def calling(
    made: World, plain: int = 2, streams: int = 2, writing: int | None = None
) -> Iterator[list[Outcome]]:
    """Callers, from when all are under way and `writing` streams (else all) are between their tokens.

    What they got is there when the block is over.
    """
    callers = Callers(made.daemon.url, plain, streams, made.keys)
    outcomes: list[Outcome] = []
    callers.start()
    try:
        made.daemon.wait_for(lambda: is_busy(callers.busy(), plain + streams, writing or streams))
        yield outcomes
    finally:
        callers.stop()
    outcomes += callers.take()[1]


def is_busy(busy: Counter[str], requests: int, streams: int) -> bool:
    """Whether all are under way, and the streams between their tokens."""
    return busy["requests"] >= requests and busy["writing"] >= streams


def not_answered(outcomes: list[Outcome]) -> list[Outcome]:
    """Those that were lost, or got an error."""
    return [each for each in outcomes if each.result != "answered"]


def events(made: World, kind: str) -> list[dict[str, object]]:
    """The events of a kind in the daemon's log, the oldest first."""
    return made.daemon.log_lines(event=kind)


def wait_for_event(made: World, kind: str, after: int) -> dict[str, object]:
    """Wait until there are more events of a kind than `after`, and give the newest."""
    made.daemon.wait_for(lambda: len(events(made, kind)) > after)
    return events(made, kind)[-1]
