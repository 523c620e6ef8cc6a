"""Where nobody shows a key, only what was meant for this machine is taken."""

from __future__ import annotations

import socket

import pytest
from flask.testing import FlaskClient

from ia0_daemon.errors import Forbidden
from ia0_daemon.gateway.host_check import check_host
from ia0_daemon.keys import new_key
from ia0_daemon.settings.schema import ApiKey, Auth
from tests.unit.gateway.conftest import Reconfigure

FOREIGN = {"Host": "evil.example:8080"}


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LOCALHOST:8080",
        "ia0.localhost",
        "gpu1.local",
        "a.internal:1",
        "10.0.0.7:8080",
        "[::1]:8080",
        "ia0",
    ],
)
def test_addresses_and_local_names_are_taken(host: str) -> None:
    check_host(host)


def test_the_machines_own_name_is_taken() -> None:
    check_host(f"{socket.gethostname()}:8080")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "not.localhost.example", "evil.example:11434"]
)
def test_another_name_is_refused(host: str) -> None:
    with pytest.raises(Forbidden, match="is no name of this machine"):
        check_host(host)


def test_an_open_service_refuses_a_foreign_host_but_tells_how_it_is(http: FlaskClient) -> None:
    assert http.get("/models", headers=FOREIGN).status_code == 403
    assert http.get("/health", headers=FOREIGN).status_code == 200


def test_a_key_is_enough(http: FlaskClient, reconfigure: Reconfigure) -> None:
    plain, sha256 = new_key()
    reconfigure(auth=Auth(keys=(ApiKey(name="shop", sha256=sha256),)))
    assert http.get("/models", headers={**FOREIGN, "X-API-Key": plain}).status_code == 200
