"""A restart of the real engine under real callers: none is lost, and everybody can see what goes on."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from ia0_daemon.supervisor.supervisor import DRAIN_EXPECTED_S
from tests.chaos.world import World
from tests.daemon_process import get
from tests.integration.supervisor.conftest import SECTIONS, calling, events, not_answered, wait_for_event

RESTARTED = "engine_restarted"


def ready(made: World) -> tuple[int, str]:
    status, body = get(made.daemon.health_port, "/health/ready")
    return status, json.loads(body)["status"]


def ask(made: World) -> requests.Response:
    body = {"prompt": "Hi", "params": {"max_tokens": 1}}
    return requests.post(f"{made.daemon.url}/llm/generate", json=body, timeout=120)


def ia0(made: World, *args: str) -> str:
    """Run the command."""
    line = [sys.executable, "-m", "ia0_daemon", *args, "--config", str(made.daemon.config_path)]
    done = subprocess.run(line, env=made.daemon._environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def details(event: dict[str, object]) -> dict[str, Any]:
    found = event["details"]
    assert isinstance(found, dict)
    return found


def test_a_restart_at_an_operators_word_loses_nobody(shared: World) -> None:
    before, pid = len(events(shared, RESTARTED)), shared.engine_pid()
    # More than there are slots: whenever the word comes, some are between two tokens.
    with calling(shared, streams=6, writing=2) as outcomes:
        assert "restarted" in ia0(shared, "restart", "--reason", "a test")
        told = details(wait_for_event(shared, RESTARTED, before))
    assert not_answered(outcomes) == []
    assert shared.engine_pid() != pid
    assert (told["cause"], told["settled"], told["failed"]) == ("operator", True, 0)
    assert told["went_on"] >= 1
    assert told["warmed"] == ["smollm2:135m"]
    assert told["seconds"]["restart"] >= 2


def test_a_killed_engine_costs_nobody_the_answer(shared: World) -> None:
    before, crashes = len(events(shared, RESTARTED)), len(events(shared, "engine_crashed"))
    with calling(shared) as outcomes:
        shared.signal_engine(signal.SIGKILL)
        told = details(wait_for_event(shared, RESTARTED, before))
    assert not_answered(outcomes) == []
    assert (told["cause"], told["failed"]) == ("crash", 0)
    assert len(events(shared, "engine_crashed")) == crashes + 1


@pytest.fixture
def patient(shared: World) -> Iterator[World]:
    """Before a restart it waits for answers as long as a test likes."""
    drain_for(shared, 600)
    yield shared
    drain_for(shared, SECTIONS["restart"]["drain_timeout_s"])


def drain_for(made: World, seconds: object) -> None:
    made.daemon.configure({"restart": {"drain_timeout_s": seconds}})
    ia0(made, "reload")


@contextmanager
def held(made: World) -> Iterator[None]:
    """Hold a restart in its drain: a request is under way until its caller hangs up."""
    connection = http.client.HTTPConnection("127.0.0.1", made.daemon.port, timeout=120)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/llm/generate", json.dumps({"prompt": "HOLD on."}), headers)
    made.daemon.wait_for(lambda: made.command("status")["in_flight"] == 1)
    yield
    connection.close()


def test_while_requests_wait_for_a_restart_the_host_is_ready_and_says_draining(patient: World) -> None:
    shared, before = patient, len(events(patient, RESTARTED))
    answers: list[requests.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(shared)))
    with held(shared):
        shared.command("restart")
        shared.daemon.wait_for(lambda: ready(shared) == (200, "draining"))
        waiting.start()
        shared.daemon.wait_for(lambda: shared.daemon.metric("ia0_gate_waiting") == 1)
    wait_for_event(shared, RESTARTED, before)
    waiting.join(120)
    assert [answer.status_code for answer in answers] == [200]
    shared.daemon.wait_for(lambda: ready(shared) == (200, "ready"))


def test_a_drained_host_is_not_ready_and_refuses_until_it_is_back(shared: World) -> None:
    ia0(shared, "drain")
    assert ready(shared) == (503, "not ready")
    refusal = ask(shared)
    assert (refusal.status_code, refusal.json()["code"]) == (503, "ENGINE_RESTARTING")
    assert 0 < int(refusal.headers["Retry-After"]) <= DRAIN_EXPECTED_S
    ia0(shared, "undrain")
    assert ready(shared)[0] == 200
    assert ask(shared).status_code == 200


def test_a_host_that_is_drained_stays_so_through_a_restart_and_finishes_what_it_has(shared: World) -> None:
    before = len(events(shared, RESTARTED))
    with calling(shared, plain=0, streams=4, writing=2) as outcomes:
        shared.command("drain")
        shared.command("restart")
        wait_for_event(shared, RESTARTED, before)
        assert ready(shared)[0] == 503
        shared.command("undrain")
    assert [each for each in outcomes if each.figures.get("resumed")]
    assert {each.code for each in not_answered(outcomes)} <= {"ENGINE_RESTARTING"}


def test_a_daemon_that_ends_in_the_middle_of_a_restart_leaves_an_engine_behind(shared: World) -> None:
    pid = shared.engine_pid()
    shared.command("restart")
    shared.daemon.wait_for(lambda: shared.engine_pid() != pid)
    assert shared.daemon.stop() == 0
    assert requests.get(f"{shared.engine_url}/api/version", timeout=30).status_code == 200
    shared.daemon.start()
    shared.load()


def test_baselines_outlive_the_daemon(shared: World) -> None:
    shared.load()

    def explained(words: str) -> bool:
        lines = shared.command("explain")
        return any("pid" in line and words in line for line in lines if "baseline" in line)

    shared.daemon.wait_for(lambda: explained("(measured after loading)") or explained("ASSUMED"))
    if explained("ASSUMED"):
        before = len(events(shared, RESTARTED))
        shared.command("restart")  # a child that this daemon has seen from its beginning
        wait_for_event(shared, RESTARTED, before)
        shared.daemon.wait_for(lambda: explained("(measured after loading)"))
    assert shared.daemon.stop() == 0
    shared.daemon.start()
    shared.daemon.wait_for(lambda: explained("before the daemon was restarted"))
