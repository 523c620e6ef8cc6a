"""The one tree of errors that a caller may meet, with status and code on the class.

    ServiceError
      +- InvalidRequest            400 INVALID_REQUEST
      |    +- ContextLengthExceeded    400 CONTEXT_LENGTH_EXCEEDED
      +- Unauthorized              401 UNAUTHORIZED
      +- Forbidden                 403 FORBIDDEN
      +- NotFound                  404 NOT_FOUND
      |    +- ModelNotFound            404 MODEL_NOT_FOUND
      +- MethodNotAllowed          405 METHOD_NOT_ALLOWED
      +- RequestTimeout            408 REQUEST_TIMEOUT
      +- PayloadTooLarge           413 PAYLOAD_TOO_LARGE
      +- UnsupportedMediaType      415 UNSUPPORTED_MEDIA_TYPE
      +- RateLimited               429 RATE_LIMITED
      +- CallerGone                499 CALLER_GONE (logged, never sent: nobody is there to read it)
      +- InternalError             500 INTERNAL_ERROR
      +- EngineError               502 ENGINE_ERROR
      |    +- EngineInterrupted        502 ENGINE_ERROR (the answer may go on once the engine is back)
      |         +- EngineAbsent                502 ENGINE_ERROR (nobody is there to ask)
      +- ModelUnavailable          503 MODEL_UNAVAILABLE
      +- Overloaded                503 OVERLOADED
      +- EngineRestarting          503 ENGINE_RESTARTING
      +- EngineTimeout             504 TIMEOUT

Owns what an error is called and how it reads. Never logs and never answers:
`gateway/app.py` renders every one of them in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ia0_daemon.clock import timestamp


class ServiceError(Exception):
    """An error that is told to the caller: a sentence, and details that a program can read."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str, /, *, retry_after_s: int | None = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """Give the error as every route of our own answers it."""
        return {
            "error": self.message,
            "code": self.code,
            "details": self.details,
            "timestamp": timestamp(),
        }

    def headers(self) -> dict[str, str]:
        """Give the response headers that belong to this error."""
        if self.retry_after_s is None:
            return {}
        return {"Retry-After": str(self.retry_after_s)}


class InvalidRequest(ServiceError):
    """The request breaks a rule of the API; the caller must change it."""

    status, code = 400, "INVALID_REQUEST"


class ContextLengthExceeded(InvalidRequest):
    """The prompt does not fit the model's context; nothing was cut."""

    code = "CONTEXT_LENGTH_EXCEEDED"

    @property
    def prompt_tokens(self) -> int:
        """Give how long the prompt was; 0 where the engine did not say."""
        return self._said("prompt_tokens")

    @property
    def context_tokens(self) -> int:
        """Give how much the context holds; 0 where the engine did not say."""
        return self._said("context_tokens")

    def figures(self) -> dict[str, int]:
        """Give both, as answers tell them."""
        return {"prompt_tokens": self.prompt_tokens, "context_tokens": self.context_tokens}

    def _said(self, name: str) -> int:
        said = self.details.get(name)
        return said if isinstance(said, int) else 0


class Unauthorized(ServiceError):
    """No API key was presented, or none that is known."""

    status, code = 401, "UNAUTHORIZED"

    def headers(self) -> dict[str, str]:
        """Add the challenge that RFC 9110 asks of a 401."""
        return {**super().headers(), "WWW-Authenticate": 'Bearer realm="ia0"'}


class Forbidden(ServiceError):
    """The key may not do this; or there are no keys, and the request names another machine as its Host."""

    status, code = 403, "FORBIDDEN"


class NotFound(ServiceError):
    """There is nothing at this path."""

    status, code = 404, "NOT_FOUND"


class ModelNotFound(NotFound):
    """The request names a model that is not configured."""

    code = "MODEL_NOT_FOUND"


class MethodNotAllowed(ServiceError):
    """The path exists, but not for this method."""

    status, code = 405, "METHOD_NOT_ALLOWED"

    def headers(self) -> dict[str, str]:
        """Name the methods that are allowed."""
        allowed = self.details.get("allowed", ())
        return {**super().headers(), "Allow": ", ".join(allowed)} if isinstance(allowed, list) else {}


class RequestTimeout(ServiceError):
    """The request did not arrive within `server.request_timeout_s`."""

    status, code = 408, "REQUEST_TIMEOUT"


class PayloadTooLarge(ServiceError):
    """The body is larger than `server.max_body_bytes`."""

    status, code = 413, "PAYLOAD_TOO_LARGE"


class UnsupportedMediaType(ServiceError):
    """The body is not JSON in UTF-8."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


class RateLimited(ServiceError):
    """The API key has used up one of its limits; `Retry-After` says when to come back."""

    status, code = 429, "RATE_LIMITED"

    def __init__(
        self,
        message: str,
        /,
        *,
        retry_after_s: int | None = None,
        quota: Mapping[str, str] | None = None,
        **details: object,
    ) -> None:
        """`quota`: the `RateLimit-*` headers."""
        super().__init__(message, retry_after_s=retry_after_s, **details)
        self._quota = dict(quota or {})

    def headers(self) -> dict[str, str]:
        """Add what is left of the key's limits."""
        return {**super().headers(), **self._quota}


class CallerGone(ServiceError):
    """The caller hung up before the answer was complete."""

    status, code = 499, "CALLER_GONE"


class InternalError(ServiceError):
    """A fault of the daemon itself; the log has its traceback under the request id."""

    def __init__(self) -> None:
        super().__init__("an internal error; the log has more under this request's id")


class EngineError(ServiceError):
    """The engine failed: not there, cut off, or an error of its own."""

    status, code = 502, "ENGINE_ERROR"


class EngineInterrupted(EngineError):
    """The engine, or the model's own process, ended in the middle of a request; nothing is wrong with it."""


class AnswerAborted(EngineError):
    """The engine gave an answer up, since the model wrote one token again and again.

    Any prompt may bring that about: it says nothing of how the model is.
    """


class EngineAbsent(EngineInterrupted):
    """Nobody takes connections where the engine should be: it has not even seen the request."""


class ModelUnavailable(ServiceError):
    """The model is configured, but the engine does not have it or cannot load it."""

    status, code = 503, "MODEL_UNAVAILABLE"


class Overloaded(ServiceError):
    """As many answers as may be are under way, or as many connections open."""

    status, code = 503, "OVERLOADED"


class EngineRestarting(ServiceError):
    """The engine is being restarted, or the host drained, and the request may not wait any longer."""

    status, code = 503, "ENGINE_RESTARTING"


class EngineTimeout(ServiceError):
    """The engine was silent for longer than one of the bounds allows."""

    status, code = 504, "TIMEOUT"
