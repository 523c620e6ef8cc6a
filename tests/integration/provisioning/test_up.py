"""`make up`, and again, and after one thing changed."""

from __future__ import annotations

import os
import signal

import requests

from tests.integration.provisioning.site import Site


def config(site: Site) -> str:
    return (site.folder / "etc" / "ia0.toml").read_text(encoding="utf-8")


def test_it_answers_the_contracts_example(site: Site) -> None:
    answer = site.generate()
    assert answer.status_code == 200
    assert {"text", "model", "tokens_used", "latency_ms", "timestamp"} <= answer.json().keys()
    assert (answer.json()["model"], answer.json()["requested_model"]) == ("smollm2-135m", "qwen2-7b")


def test_again_changes_nothing_and_keeps_the_processes(site: Site) -> None:
    before = site.pids()
    again = site.up_with_proof()
    assert (again.code, again.changed) == (0, 0), again.output
    assert "curl http://" in again.output
    assert site.pids() == before
    assert None not in before.values()


def test_a_setting_that_can_be_reloaded_restarts_nothing(site: Site) -> None:
    before = site.pids()
    site.environment["MAX_TOKENS"] = "1234"
    edited = site.up()
    # The configuration, and the reload.
    assert (edited.code, edited.changed) == (0, 2), edited.output
    assert site.pids() == before
    body = {"model": "qwen2-7b", "prompt": "x", "params": {"max_tokens": 1235}}
    refused = requests.post(f"http://127.0.0.1:{site.port}/llm/generate", json=body, timeout=60)
    assert refused.status_code == 400


def test_a_setting_of_the_listener_restarts_the_daemon_alone(site: Site) -> None:
    before = site.pids()
    site.variables["ia0_daemon_server_threads"] = "160"
    edited = site.up()
    assert (edited.code, edited.changed) == (0, 2), edited.output
    assert site.pids()["engine"] == before["engine"]
    assert site.pids()["ia0"] not in {before["ia0"], None}


def test_a_setting_of_the_engine_restarts_the_engine_alone(site: Site) -> None:
    before = site.pids()
    site.variables["embedded_engine_keep_alive"] = "5m"
    edited = site.up()
    assert (edited.code, edited.changed) == (0, 2), edited.output
    assert site.pids()["ia0"] == before["ia0"]
    assert site.pids()["engine"] not in {before["engine"], None}


def test_a_killed_daemon_is_started_and_the_engine_adopted(site: Site) -> None:
    before = site.pids()
    assert before["ia0"] is not None
    os.kill(before["ia0"], signal.SIGKILL)
    again = site.up()
    assert (again.code, again.changed) == (0, 1), again.output
    assert site.pids()["engine"] == before["engine"]


def test_a_killed_engine_is_started_and_its_orphans_are_ended(site: Site) -> None:
    assert site.generate().status_code == 200
    old, before = site.processes("engine"), site.pids()
    assert before["engine"] is not None
    os.kill(before["engine"], signal.SIGKILL)
    again = site.up()
    assert again.code == 0, again.output
    assert again.changed <= 1, again.output  # none where the daemon's supervisor was faster
    assert len(old) > 1
    assert site.processes("engine") & old == set()
    assert site.pids()["ia0"] == before["ia0"]


def test_a_wrong_setting_changes_nothing_and_is_named(site: Site) -> None:
    before, text = site.pids(), config(site)
    wrong = site.up(TIMEOUT="soon")
    assert wrong.code != 0
    assert "engine.timeout_s" in wrong.said
    assert "soon" in wrong.said
    assert (site.pids(), config(site)) == (before, text)


def test_check_mode_says_what_would_change_and_changes_nothing(site: Site) -> None:
    before, text = site.pids(), config(site)
    checked = site.up("--check", MAX_TOKENS="77")
    assert (checked.code, checked.changed) == (0, 1), checked.output
    assert (site.pids(), config(site)) == (before, text)


def test_nothing_that_it_writes_can_be_read_by_others(site: Site) -> None:
    for path in [site.folder, *(site.folder / "etc").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
