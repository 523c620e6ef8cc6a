"""The Flask application: routes, the slip of every request, and the one place where errors are rendered.

Owns what happens around every route: request id, authentication, the error's
shape, the log line. Never holds a rule of its own.

    before: begin a Call, authenticate -> route -> errors rendered -> after the last byte: free, record
"""

from __future__ import annotations

import logging
import random
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from ia0_daemon.errors import (
    Forbidden,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    ServiceError,
    UnsupportedMediaType,
)
from ia0_daemon.gateway.authenticate import authenticate
from ia0_daemon.gateway.call import ASKED_METHODS, UNMATCHED, Call
from ia0_daemon.gateway.error_shapes import body_of
from ia0_daemon.gateway.host_check import check_host
from ia0_daemon.gateway.operation import Operation, Visit
from ia0_daemon.gateway.record import record
from ia0_daemon.gateway.respond import encode
from ia0_daemon.gateway.route_table import Known, RouteTable, known_rules
from ia0_daemon.gateway.routes import OPERATIONS, health

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask import Request
    from werkzeug.routing import MapAdapter

    from ia0_daemon.gateway.service import Service
    from ia0_daemon.settings.schema import ApiKey

log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"
_REQUEST_ID_IN_ENVIRON = "HTTP_X_REQUEST_ID"
_REQUEST_ID_RULE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
# An id must be another one each time, and is no secret. `uuid4` asks the kernel, and gives the interpreter's
# lock away for it.
_random_bits = random.getrandbits
_OF_STATUS: dict[int, type[ServiceError]] = {
    404: NotFound,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}


class _NoSessions(SessionInterface):
    """Nobody has a session."""

    _null = NullSession()

    def open_session(self, _app: Flask, _request: Request) -> NullSession:
        """Give the same for all: nothing can be put into it."""
        return self._null


class _App(Flask):
    """An application without coroutines, sessions and hosts."""

    known_rules: Known
    session_interface = _NoSessions()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Give what finds the rule of a request."""
        return None if request is None else RouteTable(self.url_map, self.known_rules, request)

    def make_default_options_response(self) -> Response:
        """Say which methods a path takes: no content, so no type of one.

        200, not 204: for a 204, which bears no Content-Length, waitress closes the connection.
        """
        allowed = super().make_default_options_response().allow
        answer = Response(headers={"Allow": ", ".join(sorted(allowed))})
        del answer.headers["Content-Type"]
        return answer

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give a view as it is: none of ours is a coroutine, and asking each time costs."""
        return func


def api(service: Service) -> Flask:
    """Make the application of the main listener: every route."""
    return _application(service, "ia0-api", OPERATIONS, with_keys=True)


def probes(service: Service) -> Flask:
    """Make the application of the small listener: health and metrics alone, without keys."""
    return _application(service, "ia0-health", health.OPERATIONS, with_keys=False)


def _application(service: Service, name: str, operations: Sequence[Operation], *, with_keys: bool) -> Flask:
    app = _App(name, static_folder=None)
    is_open = frozenset(_endpoint(each) for each in operations if each.is_open)
    app.url_map.merge_slashes = False  # else `//models` is answered by a redirect in HTML
    app.register_error_handler(ServiceError, _render)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_defect)

    @app.before_request
    def begin() -> None:
        # Each look through a proxy of Flask's costs as much as a step of ours: they are looked through once.
        http, here = _behind(request), _behind(g)
        here.live, here.key = service.live, None
        here.call = call = _call(http)
        _take_request_id(call, http)
        if with_keys and http.endpoint not in is_open:
            if not here.live.keys:
                check_host(http.environ.get("HTTP_HOST", ""))
            here.key = authenticate(http.headers, here.live.keys)
            call.key = here.key.name if here.key else ""

    @app.after_request
    def finish(response: Response) -> Response:
        call: Call = g.call
        response.headers.extend({REQUEST_ID: call.request_id, **call.headers})
        response.call_on_close(lambda: end_of(call, service))
        return response

    for operation in operations:
        _register(app, service, operation)
    app.known_rules = known_rules(app.url_map)
    return app


def _register(app: Flask, service: Service, operation: Operation) -> None:
    def view(**args: str) -> Response:
        here = _behind(g)
        _check_rights(service, operation, here.call, here.key)
        return operation.handle(Visit(service, here.live, here.call, here.key, _behind(request), args))

    app.add_url_rule(operation.path, _endpoint(operation), view, methods=[operation.method])


def _endpoint(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def _check_rights(service: Service, operation: Operation, call: Call, key: ApiKey | None) -> None:
    """Hold a request to its key's limits and rights, before its body is looked at."""
    if operation.is_limited and key is not None:
        _count(service, call, key)
    if operation.is_admin and not _is_admin(key):
        raise Forbidden(
            f"{operation.path}: it changes the engine's models, so it needs a key with admin = true "
            "(auth.keys, or `ia0 keys create NAME --admin`)"
        )


def _count(service: Service, call: Call, key: ApiKey) -> None:
    """Count the request against its key's limits. Raises `RateLimited`."""
    try:
        quota = service.limiter.enter(call.resources, key)
    except RateLimited as refusal:
        service.metrics.rate_limited.labels(refusal.details["limit"]).inc()
        raise
    call.headers |= quota.headers()
    call.settle = partial(service.limiter.settle, key)


def _is_admin(key: ApiKey | None) -> bool:
    """Without any key the service is open, on loopback alone: then nobody is an administrator."""
    return key is not None and key.admin


def _behind(proxy: Any) -> Any:
    """Give what one of Flask's proxies stands for in this request."""
    return proxy._get_current_object()


def _call(http: Request) -> Call:
    return Call(
        request_id=f"{_random_bits(128):032x}",
        method=http.method,
        path=http.path[:256],
        route=_route(http),
        remote=http.remote_addr or "",
        caller_gone=http.environ.get("waitress.client_disconnected", bool),
    )


def _route(http: Request) -> str:
    """Give the label of the route; a question for the methods of a path must not count as its answers do."""
    if http.url_rule is None:
        return UNMATCHED
    return ASKED_METHODS if http.method == "OPTIONS" else http.url_rule.rule


def _take_request_id(call: Call, http: Request) -> None:
    """Take the caller's own id. Raises `InvalidRequest`, which is logged like any other refusal."""
    given = http.environ.get(_REQUEST_ID_IN_ENVIRON)
    if given is None:
        return
    if not _REQUEST_ID_RULE.fullmatch(given):
        raise InvalidRequest(
            f"{REQUEST_ID}: 1 to 128 of the characters A-Z a-z 0-9 . _ : / + = @ - are taken",
            field=REQUEST_ID,
            value=given[:200],
        )
    call.request_id = given


def end_of(call: Call, service: Service) -> None:
    """Free what a request held, settle its tokens, write its line: when its last byte is out."""
    try:
        call.resources.close()
    finally:  # a defect in what is freed must not make it free of charge, or unseen
        call.settle(call.spent_tokens(service.prompt_rates.tokens(call.model, call.prompt_chars)))
        record(call, service.metrics)


def _render(error: ServiceError) -> Response:
    g.call.note_failure(error)
    body = body_of(request.path, error, g.call.request_id)
    return Response(encode(body), error.status, error.headers(), mimetype="application/json")


def _of_http(error: HTTPException) -> Response:
    """Say in our words what Flask refuses."""
    if isinstance(error, WrongMethod):
        allowed = sorted(error.valid_methods or ())
        return _render(
            MethodNotAllowed(f"{request.path[:200]} does not take {request.method}", allowed=allowed)
        )
    if error.code == 404:
        return _render(NotFound(f"there is nothing at {request.path[:200]}"))
    kind = _OF_STATUS.get(error.code or 0, InvalidRequest)
    return _render(kind(error.description or error.name))


def _of_defect(error: Exception) -> Response:
    """The edge: a defect of the daemon is logged once, with its traceback, and told without it."""
    log.error("a request failed", exc_info=error, extra={"request_id": g.call.request_id})
    return _render(InternalError())
