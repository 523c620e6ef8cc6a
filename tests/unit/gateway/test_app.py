"""What happens around every route: ids, refusals, defects."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ia0_daemon.engine.messages import Message
from tests.fakes import FakeClient
from tests.unit.gateway.conftest import Lines

Generate = Callable[..., TestResponse]
SHAPE = {"error", "code", "details", "timestamp", "request_id"}


def refusal(response: TestResponse) -> tuple[int, str]:
    assert response.mimetype == "application/json"
    assert set(response.get_json()) == SHAPE
    return response.status_code, response.get_json()["code"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/llm", "/llm/generate/", "/llm//generate", "/api", "/api/", "/apis", "/%00", "/%ff"]
)
def test_what_is_not_there_is_not_found(http: FlaskClient, path: str) -> None:
    assert refusal(http.get(path)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1//models"])
def test_what_is_not_there_is_told_openais_clients_in_their_shape(http: FlaskClient, path: str) -> None:
    response = http.get(path)
    error = response.get_json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (404, "not_found", None)
    assert error["message"] == f"there is nothing at {path}"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/llm/generate", "OPTIONS, POST"),
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/api/blobs/sha256-0", "HEAD, OPTIONS, POST"),
        ("/", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_gives_the_methods_alone_and_counts_as_no_answer_of_the_route(
    http: FlaskClient, log_lines: Lines, path: str, allowed: str
) -> None:
    response = http.options(path, buffered=True)
    assert (response.status_code, response.headers["Allow"]) == (200, allowed)
    assert (response.headers["Content-Length"], "Content-Type" in response.headers) == ("0", False)
    (line,) = log_lines()
    assert (line["route"], line["path"], line["status"], line["code"]) == ("options", path, 200, "OK")


def test_options_of_nothing_is_not_found(http: FlaskClient, log_lines: Lines) -> None:
    assert refusal(http.options("/nothing", buffered=True)) == (404, "NOT_FOUND")
    assert log_lines()[0]["route"] == "unmatched"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/llm/generate", "OPTIONS, POST"),
        ("DELETE", "/llm/generate", "OPTIONS, POST"),
        ("POST", "/models", "GET, HEAD, OPTIONS"),
        ("POST", "/health/live", "GET, HEAD, OPTIONS"),
        ("BREW", "/metrics", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    http: FlaskClient, method: str, path: str, allowed: str
) -> None:
    response = http.open(path, method=method)
    assert refusal(response) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_another_media_type_is_refused(http: FlaskClient, headers: dict[str, str]) -> None:
    response = http.post("/llm/generate", data=b'{"prompt": "Hi"}', headers=headers)
    assert refusal(response) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_in_utf8_is_taken(http: FlaskClient, kind: str) -> None:
    body = json.dumps({"prompt": "Olá"}, ensure_ascii=False).encode()
    assert http.post("/llm/generate", data=body, headers={"Content-Type": kind}).status_code == 200


def test_a_model_that_is_not_there_is_not_found(generate: Generate) -> None:
    response = generate({"prompt": "Hi", "model": "gpt-4"})
    assert refusal(response) == (404, "MODEL_NOT_FOUND")
    assert response.get_json()["details"]["known"] == ["llama3.1-8b", "qwen2-7b", "smollm2-135m", "auto"]


def test_what_is_asked_of_the_engine(generate: Generate, engine: FakeClient) -> None:
    generate({"prompt": "Hi", "system": "Be kind.", "params": {"max_tokens": 5}})
    (question,) = engine.asked
    assert question.messages == [Message("system", "Be kind."), Message("user", "Hi")]
    assert question.options == {"num_predict": 5}
    assert question.model.name == "smollm2-135m"


def test_a_defect_is_an_internal_error_without_its_traceback(
    generate: Generate, engine: FakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    engine.error = ZeroDivisionError("secret place")
    response = generate()
    assert refusal(response) == (500, "INTERNAL_ERROR")
    assert "secret place" not in response.text
    (record,) = [record for record in caplog.records if record.exc_info]
    assert vars(record)["request_id"] == response.headers["X-Request-ID"]


def test_a_request_gets_an_id(http: FlaskClient) -> None:
    ids = {http.get("/models").headers["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("given", ["a", "order-7", "A.z_9:/+=@-", "x" * 128])
def test_a_callers_id_is_given_back(generate: Generate, given: str) -> None:
    response = generate(headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == response.get_json()["request_id"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 129, "<script>", "é"])
def test_a_wrong_id_is_refused_and_not_given_back(http: FlaskClient, log_lines: Lines, given: str) -> None:
    response = http.get("/models", headers={"X-Request-ID": given}, buffered=True)
    assert refusal(response) == (400, "INVALID_REQUEST")
    assert response.headers["X-Request-ID"] == response.get_json()["request_id"] != given
    assert [line["code"] for line in log_lines()] == ["INVALID_REQUEST"]


@pytest.mark.parametrize("host", ["", "\xff", "a b", "[::1", "x" * 300 + ".com", "..", "a:b:c"])
def test_no_host_header_is_worse_than_a_refusal(http: FlaskClient, host: str) -> None:
    assert http.get("/models", headers={"Host": host}).status_code in (200, 400, 403, 404)
