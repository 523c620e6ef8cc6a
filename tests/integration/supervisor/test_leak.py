"""A real leak in the real engine is restarted under load with nothing lost; its twin is left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import requests

from tests.chaos.world import World
from tests.engine_process import WEIGHTS_DIGEST, make_models
from tests.integration.supervisor.conftest import calling, events, not_answered, wait_for_event, watched

MIB = 2**20
LEAK_MIB, SOFT, HARD = 24, "48MiB", "96MiB"
SECOND = "second:135m"
THRESHOLDS: dict[str, dict[str, object]] = {
    "memory": {
        "child_growth_soft": SOFT,
        "child_growth_hard": HARD,
        "engine_growth_soft": SOFT,
        "engine_growth_hard": HARD,
        "soft_samples": 2,
        "hard_samples": 2,
    },
    "models.second": {"name": "second", "tag": SECOND, "num_ctx": 512},
}


def answer(made: World, model: str) -> None:
    body = {"prompt": "Hi", "model": model, "params": {"max_tokens": 5}}
    answered = requests.post(f"{made.daemon.url}/llm/generate", json=body, timeout=120)
    assert answered.status_code == 200, answered.text


def mapped(made: World) -> int:
    """What the models' processes have of files in their memory, weights above all."""
    return sum(psutil.Process(pid).memory_info().shared for pid in made.child_pids())


def beats(made: World) -> float:
    """When the daemon last proved that its ticks go on."""
    return made.daemon.metric("ia0_heartbeat_timestamp_seconds")


def test_a_leak_is_restarted_under_load_and_nobody_loses_an_answer(tmp_path: Path) -> None:
    env = {"IA0_ENGINE_FAULT_LEAK_MB_PER_REQUEST": str(LEAK_MIB)}
    with watched(tmp_path, env, THRESHOLDS) as made:
        with calling(made) as outcomes:
            told = wait_for_event(made, "engine_restarted", 0)
        assert not_answered(outcomes) == []
        details = told["details"]
        assert isinstance(details, dict)
        assert (details["cause"], details["failed"]) == ("memory", 0)
        assert "beyond the hard threshold of 96 MiB" in str(events(made, "restart_started")[0]["message"])
        assert events(made, "engine_crashed") == []


def test_its_twin_whose_mapped_weights_and_page_cache_double_is_left_alone(tmp_path: Path) -> None:
    with watched(tmp_path, sections=THRESHOLDS) as made:
        before = mapped(made)
        _add_second_model(tmp_path / "models")
        with calling(made) as outcomes:
            answer(made, "second")
            for _ in range(8):
                answer(made, "smollm2-135m")
            assert mapped(made) > 1.8 * before > 1.8 * LEAK_MIB * MIB
            ticked = beats(made)
            made.daemon.wait_for(lambda: beats(made) > ticked + 2)
        assert not_answered(outcomes) == []
        assert events(made, "restart_started") == []
        assert events(made, "memory_hard") == []


def _add_second_model(models: Path) -> None:
    """A model whose weights are a file of their own: a copy, which fills the page cache once more."""
    make_models(models, [SECOND])
    old, new = WEIGHTS_DIGEST.replace(":", "-"), "sha256-" + "cd" * 32
    shutil.copyfile(models / "blobs" / old, models / "blobs" / new)
    manifest = models.joinpath("manifests/registry.ollama.ai/library", *SECOND.split(":"))
    manifest.write_text(manifest.read_text().replace(WEIGHTS_DIGEST, new.replace("-", ":")))
