"""An error reads as the clients of its path expect it."""

from __future__ import annotations

import pytest

from ia0_daemon.errors import ContextLengthExceeded, EngineError, InvalidRequest, RateLimited, ServiceError
from ia0_daemon.gateway.error_shapes import body_of

WRONG = InvalidRequest("top_k: too large", field="top_k", value=7)


def test_our_own_routes_have_our_own_shape() -> None:
    body = body_of("/llm/generate", WRONG, "id")
    assert {name: body[name] for name in ("error", "code", "details", "request_id")} == {
        "error": "top_k: too large",
        "code": "INVALID_REQUEST",
        "details": {"field": "top_k", "value": 7},
        "request_id": "id",
    }


def test_openais_clients_find_message_type_param_and_code() -> None:
    error = body_of("/v1/chat/completions", WRONG, "id")["error"]
    assert (error["message"], error["type"], error["param"], error["code"]) == (
        "top_k: too large",
        "invalid_request_error",
        "top_k",
        "invalid_request",
    )


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ContextLengthExceeded("too long"), "invalid_request_error", "context_length_exceeded"),
        (RateLimited("too many"), "rate_limit_error", "rate_limit_exceeded"),
        (EngineError("gone"), "server_error", "engine_error"),
    ],
)
def test_openais_codes_are_theirs_where_they_have_one(error: ServiceError, kind: str, code: str) -> None:
    said = body_of("/v1/completions", error, "id")["error"]
    assert (said["type"], said["code"]) == (kind, code)


def test_ollamas_clients_find_a_text() -> None:
    assert body_of("/api/chat", WRONG, "id")["error"] == "top_k: too large"
