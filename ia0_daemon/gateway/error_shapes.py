"""How an error reads for each kind of client: ours, OpenAI's, Ollama's.

Owns the three forms, chosen by the path that was asked. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ia0_daemon.errors import ContextLengthExceeded

if TYPE_CHECKING:
    from ia0_daemon.errors import ServiceError

OPENAI, OLLAMA = "/v1/", "/api/"
# What OpenAI's clients tell apart, beside the status.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
}
_SERVER = "server_error"
# The codes that OpenAI's own service has for what ours say in upper case.
_OPENAI_CODES = {
    "CONTEXT_LENGTH_EXCEEDED": "context_length_exceeded",
    "MODEL_NOT_FOUND": "model_not_found",
    "UNAUTHORIZED": "invalid_api_key",
    "RATE_LIMITED": "rate_limit_exceeded",
}


def body_of(path: str, error: ServiceError, request_id: str) -> dict[str, Any]:
    """Give an error's body as the clients of this path expect it."""
    if path.startswith(OPENAI):
        return openai(error, request_id)
    if path.startswith(OLLAMA):
        return ollama(error, request_id)
    return ours(error, request_id)


def ours(error: ServiceError, request_id: str) -> dict[str, Any]:
    """Give the one shape of our own routes."""
    return {**error.body(), "request_id": request_id}


def openai(error: ServiceError, request_id: str) -> dict[str, Any]:
    """Give OpenAI's shape; our code and details stand beside what its clients read."""
    return {
        "error": {
            "message": _in_openais_words(error),
            "type": _TYPES.get(error.status, _SERVER),
            "param": error.details.get("field"),
            "code": _OPENAI_CODES.get(error.code, error.code.lower()),
            "details": error.details,
            "request_id": request_id,
        }
    }


def _in_openais_words(error: ServiceError) -> str:
    """Say that a prompt is too long by OpenAI's sentence: LiteLLM and others know it by that alone."""
    if not isinstance(error, ContextLengthExceeded):
        return error.message
    if not error.context_tokens:
        return f"This model's maximum context length is exceeded: {error.message}"
    return (
        f"This model's maximum context length is {error.context_tokens} tokens. However, your messages "
        f"resulted in {error.prompt_tokens} tokens; nothing was cut."
    )


def ollama(error: ServiceError, request_id: str) -> dict[str, Any]:
    """Give Ollama's shape, with ours beside it: its clients read `error` alone."""
    return {**error.body(), "request_id": request_id}
