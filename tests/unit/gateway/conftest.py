"""The gateway without an engine and without a network: Flask's own test client in front of fakes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.gate import Gate
from ia0_daemon.gateway.app import api, probes
from ia0_daemon.gateway.metrics import Metrics
from ia0_daemon.gateway.service import Live, Service
from ia0_daemon.settings.schema import Settings
from tests.fakes import MODEL, FakeClient, FakeControl

Reconfigure = Callable[..., None]
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def engine() -> FakeClient:
    return FakeClient()


@pytest.fixture
def service(engine: FakeClient, control: FakeControl) -> Service:
    watch = EngineWatch(control, 5)
    watch.refresh()
    service = Service(Live.of(Settings(models={"small": MODEL}), engine, watch), Metrics(), Gate(16, 30))
    service.metrics.watch(service)
    return service


@pytest.fixture
def reconfigure(service: Service) -> Reconfigure:
    """Change sections of the settings in force, as a reload does."""

    def change(**sections: object) -> None:
        live = service.live
        old = {name: getattr(live.settings, name) for name in live.settings.__struct_fields__}
        service.live = Live.of(Settings(**{**old, **sections}), live.client, live.watch)

    return change


@pytest.fixture
def http(service: Service) -> FlaskClient:
    return api(service).test_client()


@pytest.fixture
def probe(service: Service) -> FlaskClient:
    return probes(service).test_client()


@pytest.fixture
def generate(http: FlaskClient) -> Callable[..., TestResponse]:
    """Post to /llm/generate; the answer is read to its end."""

    def post(body: object = None, **kwargs: Any) -> TestResponse:
        return http.post("/llm/generate", json=body or {"prompt": "Hi"}, buffered=True, **kwargs)

    return post


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """The fields of the requests' log lines."""
    caplog.set_level(logging.DEBUG, "ia0.request")
    return lambda: [vars(record) for record in caplog.records if record.name == "ia0.request"]
