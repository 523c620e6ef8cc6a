"""How an error reads for each kind of client: ours, OpenAI's, Ollama's.

Owns the three forms, chosen by the path that was asked, and their types, from
which the API's documentation is made. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from ia0_daemon.errors import ContextLengthExceeded

if TYPE_CHECKING:
    from ia0_daemon.errors import ServiceError

OPENAI, OLLAMA = "/v1", "/api"
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


class Error(TypedDict):
    """What went wrong: a sentence for people, a code and details for programs."""

    error: str
    """What is wrong, which rule it breaks, and where to change it."""
    code: str
    details: dict[str, Any]
    """What a program may read: the field, its value and the rule; limits and the settings that hold them."""
    timestamp: str
    """When, RFC 3339 in UTC."""
    request_id: NotRequired[str]
    """The id under which the log has it; absent where nothing could be read as a request."""


class OpenAIErrorBody(TypedDict):
    """An error as OpenAI's clients read it; `details` and `request_id` are ours."""

    message: str
    """What is wrong, which rule it breaks, and where to change it."""
    type: str
    """The kind of error that OpenAI's clients tell apart, beside the status."""
    param: str | None
    """The field that is wrong, where there is one."""
    code: str
    details: dict[str, Any]
    """What a program may read: the field, its value and the rule; limits and the settings that hold them."""
    request_id: str
    """The id under which the log has it."""


class OpenAIError(TypedDict):
    """The shape of errors below `/v1/`."""

    error: OpenAIErrorBody


class OllamaError(TypedDict):
    """An error as Ollama's clients read it, who look at `error` alone; the rest is ours."""

    error: str
    """What is wrong, which rule it breaks, and where to change it."""
    code: str
    details: dict[str, Any]
    """What a program may read: the field, its value and the rule; limits and the settings that hold them."""
    timestamp: str
    """When, RFC 3339 in UTC."""
    request_id: NotRequired[str]
    """The id under which the log has it; absent where nothing could be read as a request."""


def ours(error: ServiceError, request_id: str) -> Error:
    """Give the one shape of our own routes."""
    said = error.body()
    return {
        "error": said["error"],
        "code": said["code"],
        "details": said["details"],
        "timestamp": said["timestamp"],
        "request_id": request_id,
    }


def openai(error: ServiceError, request_id: str) -> OpenAIError:
    """Give OpenAI's shape; our code and details stand beside what its clients read."""
    return {
        "error": {
            "message": _in_openais_words(error),
            "type": _TYPES.get(error.status, _SERVER),
            "param": _field(error),
            "code": openai_code(error.code),
            "details": error.details,
            "request_id": request_id,
        }
    }


def openai_code(code: str) -> str:
    """Give the code under which OpenAI's clients know one of ours."""
    return _OPENAI_CODES.get(code, code.lower())


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


def ollama(error: ServiceError, request_id: str) -> OllamaError:
    """Give Ollama's shape, with ours beside it: its clients read `error` alone."""
    return OllamaError(**ours(error, request_id))


def _field(error: ServiceError) -> str | None:
    field = error.details.get("field")
    return field if isinstance(field, str) else None


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """How errors read below a prefix."""

    kind: type
    """The type of its bodies."""
    write: Callable[[ServiceError, str], Any]
    """Gives the body of an error, with the request's id."""
    place: tuple[str, ...]
    """Where in the body the code stands."""
    code: Callable[[str], str] = str
    """How one of our codes reads there."""


OURS_SHAPE = ErrorShape(Error, ours, ("code",))
OPENAI_SHAPE = ErrorShape(OpenAIError, openai, ("error", "code"), openai_code)
OLLAMA_SHAPE = ErrorShape(OllamaError, ollama, ("code",))
SHAPES = (OURS_SHAPE, OPENAI_SHAPE, OLLAMA_SHAPE)


def shape_of(path: str) -> ErrorShape:
    """Give the shape that the clients of this path expect."""
    if _is_within(path, OPENAI):
        return OPENAI_SHAPE
    return OLLAMA_SHAPE if _is_within(path, OLLAMA) else OURS_SHAPE


def _is_within(path: str, prefix: str) -> bool:
    """Whether a path is the prefix itself, as a client with a wrong base address asks for it, or below it."""
    return path == prefix or path.startswith(f"{prefix}/")


def body_of(path: str, error: ServiceError, request_id: str) -> Any:
    """Give an error's body as the clients of this path expect it."""
    return shape_of(path).write(error, request_id)
