"""How the daemon says how it is."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from valkey.exceptions import OutOfMemoryError

from ia0_daemon.gateway.limits import Limiter
from ia0_daemon.gateway.service import Service
from ia0_daemon.gateway.shared_store import StoreAway, open_store
from ia0_daemon.settings.schema import Model, Shared
from tests.fakes import MODEL, TAG, FakeControl
from tests.unit.gateway.conftest import Reconfigure

OTHER = Model(name="other", tag="other:1b")


def ready(http: FlaskClient) -> tuple[int, dict[str, Any]]:
    response = http.get("/health/ready")
    return response.status_code, response.get_json()


def test_ready_where_the_engine_has_a_model(http: FlaskClient) -> None:
    status, body = ready(http)
    assert (status, body["status"], body["reasons"]) == (200, "ready", [])


def test_not_ready_where_the_engine_does_not_answer(
    http: FlaskClient, service: Service, control: FakeControl
) -> None:
    control.reachable = False
    service.live.watch.refresh()
    assert ready(http)[0] == 503
    assert ready(http)[1]["reasons"] == ["the engine does not answer: nobody there"]


def test_not_ready_where_the_engine_has_no_model(
    http: FlaskClient, service: Service, control: FakeControl
) -> None:
    control.present = ["other:1b"]
    service.live.watch.refresh()
    assert ready(http)[0] == 503
    assert ready(http)[1]["reasons"] == [f"the engine has none of the configured models: {TAG}"]


def test_not_ready_where_nobody_asks_the_engine_any_more(http: FlaskClient, service: Service) -> None:
    watch = service.live.watch
    watch._state = replace(watch.state, checked_at=time.monotonic() - 1000)
    status, body = ready(http)
    assert status == 503
    assert "was last asked" in body["reasons"][0]


def test_not_ready_while_stopping_but_alive(http: FlaskClient, service: Service) -> None:
    service.stopping = True
    assert ready(http)[1]["reasons"] == ["the daemon is stopping"]
    assert http.get("/health/live").status_code == 200


def test_health_tells_of_engine_models_and_memory(http: FlaskClient) -> None:
    body = http.get("/health").get_json()
    assert body["status"] == "ok"
    assert (body["engine"]["reachable"], body["engine"]["version"]) == (True, "0.33.0")
    queue = {"busy": 0, "waiting": 0, "breaker": "closed"}
    assert body["models"] == [{"name": MODEL.name, "tag": TAG, "state": "loaded", **queue}]
    assert 0 < body["memory"]["daemon_rss_bytes"] < body["memory"]["host_total_bytes"]


@pytest.mark.parametrize(
    ("loaded", "present", "reachable", "state"),
    [
        ([TAG], [TAG], True, "loaded"),
        ([], [TAG], True, "available"),
        ([], [], True, "missing"),
        ([TAG], [TAG], False, "unknown"),
    ],
)
def test_a_models_state(
    http: FlaskClient,
    service: Service,
    control: FakeControl,
    loaded: list[str],
    present: list[str],
    reachable: bool,
    state: str,
) -> None:
    control.models, control.present, control.reachable = loaded, present, reachable
    service.live.watch.refresh()
    assert http.get("/models").get_json()["models"][0]["state"] == state


def test_health_is_degraded_where_one_model_of_two_is_missing(
    http: FlaskClient, reconfigure: Reconfigure
) -> None:
    reconfigure(models={"a": MODEL, "b": OTHER})
    response = http.get("/health")
    assert (response.status_code, response.get_json()["status"]) == (200, "degraded")
    assert response.get_json()["reasons"] == ["the engine does not have: other:1b"]


def test_health_says_plainly_that_restarts_were_given_up_and_what_to_do(
    http: FlaskClient, service: Service, control: FakeControl
) -> None:
    service.supervisor_status = lambda: {"state": "failed", "failed_because": "no such program"}
    given_up = "restarts were given up (FAILED), `ia0 restart` tries again: no such program"
    body = http.get("/health").get_json()
    assert (body["status"], body["reasons"]) == ("degraded", [given_up])
    control.reachable = False
    service.live.watch.refresh()
    body = http.get("/health").get_json()
    assert (body["status"], body["reasons"][1:]) == ("unavailable", [given_up])


def test_models_are_told_by_every_name(http: FlaskClient, reconfigure: Reconfigure) -> None:
    reconfigure(models={"a": MODEL, "b": OTHER})
    body = http.get("/models").get_json()
    assert [entry["name"] for entry in body["models"]] == ["smollm2-135m", "other"]
    assert body["default"] == "smollm2-135m"
    first = body["models"][0]
    assert first["aliases"] == ["qwen2-7b", "llama3.1-8b"]
    assert (first["context_length"], first["size_bytes"], first["size_vram_bytes"]) == (512, 3, 2)


def test_the_metrics_tell_the_engines_state(probe: FlaskClient) -> None:
    text = probe.get("/metrics").text
    assert "ia0_engine_up 1.0" in text
    assert 'ia0_model_loaded{model="smollm2-135m"} 1.0' in text


def test_the_small_listener_has_health_and_metrics_alone(probe: FlaskClient) -> None:
    for path in ("/health", "/health/live", "/health/ready", "/metrics"):
        assert probe.get(path).status_code == 200
    assert probe.get("/models").status_code == 404
    assert probe.post("/llm/generate").status_code == 404


def test_health_is_never_kept_by_a_cache(probe: FlaskClient) -> None:
    assert probe.get("/health/ready").headers["Cache-Control"] == "no-store"


def test_an_open_breaker_is_a_trouble(http: FlaskClient, service: Service) -> None:
    service.breakers.limit(1, 60)
    service.breakers.failed(MODEL.name)
    body = http.get("/health").get_json()
    assert (body["status"], body["models"][0]["breaker"]) == ("degraded", "open")
    assert body["reasons"] == [f"{MODEL.name} is not asked, its breaker is open: it failed too often"]


@pytest.mark.parametrize(
    ("error", "what"),
    [(OutOfMemoryError("full"), "limits are"), (OSError("gone"), "limits and kept answers are")],
)
def test_health_says_what_a_store_that_is_away_leaves_to_this_daemon_alone(
    http: FlaskClient, service: Service, error: Exception, what: str
) -> None:
    store = open_store(Shared(url="valkey://127.0.0.1:1"))  # nobody is there, and nobody is asked
    assert store is not None
    with pytest.raises(StoreAway):
        store.attempt(lambda: raised(error))
    service.limiter = Limiter(store, "")
    body = http.get("/health").get_json()
    assert (body["status"], body["shared_store"]["up"]) == ("degraded", False)
    assert f"{what} this daemon's own" in body["reasons"][0]


def raised(error: Exception) -> None:
    raise error
