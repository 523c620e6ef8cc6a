"""An engine that cannot be kept alive: restarts end within their budget, and one alert says so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.chaos.world import World
from tests.daemon_process import get
from tests.integration.supervisor.conftest import events, wait_for_event, watched

BUDGET = 3
# How long an answer that only says that there is none may take, in seconds.
AT_ONCE_S = 10.0
TEE = shutil.which("tee") or "/usr/bin/tee"


def alerts(folder: Path) -> list[dict[str, object]]:
    path = folder / "alerts"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def health(made: World) -> dict[str, object]:
    found: dict[str, object] = json.loads(get(made.daemon.health_port, "/health")[1])
    return found


def ask(made: World, results: list[requests.Response], tokens: int = 1) -> None:
    body = {"prompt": "Tell me a long story.", "params": {"max_tokens": tokens}}
    results.append(requests.post(f"{made.daemon.url}/llm/generate", json=body, timeout=180))


def cannot_start(made: World, _: threading.Event) -> None:
    """Take its folder away, so that it ends at each start."""
    models = made.folder / "models"
    models.rename(made.folder / "gone")
    models.write_text("not a folder")
    made.signal_engine(signal.SIGKILL)


def does_not_stay(made: World, over: threading.Event) -> None:
    """Kill it as soon as it is there, each time."""
    while not over.wait(0.05):
        pid = made.engine_pid()
        if pid and not events(made, "supervisor_failed"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.mark.parametrize("damage", [cannot_start, does_not_stay])
def test_an_engine_that_crashes_again_and_again_ends_in_failed_and_one_alert(
    tmp_path: Path, damage: Callable[[World, threading.Event], None]
) -> None:
    sections: dict[str, dict[str, object]] = {
        "restart": {"max_restarts": BUDGET, "cooldown_s": 0.5},
        "alerts": {"command": [TEE, "-a", str(tmp_path / "alerts")], "engine_down_after_s": 3600},
    }
    results: list[requests.Response] = []
    over = threading.Event()
    with watched(tmp_path, sections=sections) as made:
        open_request = threading.Thread(target=ask, args=(made, results, 400))
        open_request.start()
        made.daemon.wait_for(lambda: made.command("status")["in_flight"] == 1)
        breaking = threading.Thread(target=damage, args=(made, over))
        breaking.start()
        wait_for_event(made, "supervisor_failed", 0)
        over.set()
        breaking.join(180)
        open_request.join(180)
        made.daemon.wait_for(lambda: health(made)["status"] == "unavailable")
        began = time.monotonic()
        ask(made, results)
        assert time.monotonic() - began < AT_ONCE_S
        assert [answer.status_code for answer in results] == [502, 502]
        assert {answer.json()["code"] for answer in results} == {"ENGINE_ERROR"}
        told = health(made)["supervisor"]
        assert isinstance(told, dict)
        assert (told["state"], told["restarts_left"]) == ("failed", 0)
        assert told["failed_because"]
        assert "restarts were given up (FAILED)" in str(health(made)["reasons"])
        made.daemon.wait_for(lambda: len(alerts(tmp_path)) >= 1)
        assert len(events(made, "restart_started")) == BUDGET
        assert len(events(made, "supervisor_failed")) == 1
    assert [each["alert"] for each in alerts(tmp_path)] == ["supervisor_failed"]
