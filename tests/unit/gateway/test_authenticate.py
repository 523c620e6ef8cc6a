"""Who may ask, where keys are configured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from ia0_daemon.errors import Unauthorized
from ia0_daemon.gateway.authenticate import authenticate
from ia0_daemon.keys import KeyRing, new_key
from ia0_daemon.settings.schema import ApiKey, Auth
from tests.unit.gateway.conftest import Lines, Reconfigure

ROUTES = [("POST", "/llm/generate"), ("GET", "/models"), ("GET", "/metrics"), ("GET", "/nothing")]


@pytest.fixture
def key(reconfigure: Reconfigure) -> str:
    plain, digest = new_key()
    reconfigure(auth=Auth(keys=(ApiKey(name="shop", sha256=digest),)))
    return plain


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_key_nothing_is_told(http: FlaskClient, key: str, method: str, path: str) -> None:
    response = http.open(path, method=method)
    assert (response.status_code, response.get_json()["code"]) == (401, "UNAUTHORIZED")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="ia0"'


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_needs_no_key(http: FlaskClient, key: str, path: str) -> None:
    assert http.get(path).status_code == 200


def test_the_small_listener_needs_no_key(probe: FlaskClient, key: str) -> None:
    assert probe.get("/metrics").status_code == 200


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {} "])
def test_a_bearer_token_is_taken(http: FlaskClient, key: str, form: str) -> None:
    assert http.get("/models", headers={"Authorization": form.format(key)}).status_code == 200


def test_an_api_key_header_is_taken(http: FlaskClient, key: str) -> None:
    assert http.get("/models", headers={"X-API-Key": key}).status_code == 200


@pytest.mark.parametrize("wrong", ["", "Bearer", "Bearer ", "Basic {}", "Bearer {}x", "{}", "Bearer \xff"])
def test_anything_else_is_refused(http: FlaskClient, key: str, wrong: str) -> None:
    assert http.get("/models", headers={"Authorization": wrong.format(key)}).status_code == 401


def test_the_log_has_the_keys_name_and_never_the_key(http: FlaskClient, key: str, log_lines: Lines) -> None:
    http.get("/models", headers={"X-API-Key": key}, buffered=True)
    http.get("/models", headers={"X-API-Key": key[:-1]}, buffered=True)
    assert [line.get("key") for line in log_lines()] == ["shop", None]
    assert key[:-1] not in str(log_lines())


def test_an_empty_bearer_leaves_the_word_to_the_other_header(http: FlaskClient, key: str) -> None:
    assert http.get("/models", headers={"Authorization": "Bearer ", "X-API-Key": key}).status_code == 200


def test_a_key_that_has_ended_is_refused_by_name_and_time(
    http: FlaskClient, reconfigure: Reconfigure
) -> None:
    plain, digest = new_key()
    reconfigure(auth=Auth(keys=(ApiKey(name="shop", sha256=digest, expires="2001-01-31T00:00:00Z"),)))
    response = http.get("/models", headers={"X-API-Key": plain})
    assert response.status_code == 401
    assert response.get_json()["error"].startswith("the API key shop ended at 2001-01-31T00:00:00Z")


@pytest.mark.parametrize(("second", "taken"), [(59, True), (60, False), (61, False)])
def test_a_key_is_taken_until_the_moment_of_its_end(second: int, taken: bool) -> None:
    plain, digest = new_key()
    ring = KeyRing([ApiKey(name="shop", sha256=digest, expires="2027-01-31T00:01:00Z")])
    now = datetime(2027, 1, 31, tzinfo=UTC) + timedelta(seconds=second)
    headers = Headers({"X-API-Key": plain})
    if taken:
        found = authenticate(headers, ring, lambda: now)
        assert found is not None
        assert found.name == "shop"
    else:
        with pytest.raises(Unauthorized):
            authenticate(headers, ring, lambda: now)


def test_where_all_keys_have_ended_the_api_is_not_open(http: FlaskClient, reconfigure: Reconfigure) -> None:
    key = ApiKey(name="shop", sha256=new_key()[1], expires="2001-01-31T00:00:00Z")
    reconfigure(auth=Auth(keys=(key,)))
    assert http.get("/models").status_code == 401


def test_without_configured_keys_nobody_is_asked(http: FlaskClient) -> None:
    assert http.get("/models").status_code == 200
