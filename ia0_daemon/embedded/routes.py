"""Which handler answers which path, and what every request passes before.

    answer(exchange): Host check -> route -> handler; a failure becomes its answer; one log line

Owns the table of routes, 404, 405 and the Host check. Never knows what a handler does.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import time
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from ia0_daemon.embedded.engine import Engine
from ia0_daemon.embedded.exchange import Exchange
from ia0_daemon.embedded.failures import Cancelled, EngineFailure
from ia0_daemon.embedded.handle_chat import chat
from ia0_daemon.embedded.handle_create import create, head_blob, post_blob
from ia0_daemon.embedded.handle_embed import embed, embeddings
from ia0_daemon.embedded.handle_generate import generate
from ia0_daemon.embedded.handle_models import copy, delete, ps, show, tags
from ia0_daemon.embedded.handle_pull import pull

Handler = Callable[[Engine, Exchange], None]

_log = logging.getLogger(__name__)
# Questions of state, which watchers ask again and again.
_QUIET = frozenset({"/", "/api/version", "/api/tags", "/api/ps"})
_LOCAL_ENDINGS = (".localhost", ".local", ".internal")


def _root(_engine: Engine, exchange: Exchange) -> None:
    exchange.send_text(HTTPStatus.OK, "Ollama is running")


def _version(engine: Engine, exchange: Exchange) -> None:
    exchange.send_json(HTTPStatus.OK, {"version": engine.settings.version})


def _status(_engine: Engine, exchange: Exchange) -> None:
    exchange.send_json(HTTPStatus.OK, {"cloud": {"disabled": True, "source": "env"}})


ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"GET": _root, "HEAD": _root},
    "/api/version": {"GET": _version, "HEAD": _version},
    "/api/status": {"GET": _status},
    "/api/tags": {"GET": tags, "HEAD": tags},
    "/api/ps": {"GET": ps},
    "/api/show": {"POST": show},
    "/api/generate": {"POST": generate},
    "/api/chat": {"POST": chat},
    "/api/embed": {"POST": embed},
    "/api/embeddings": {"POST": embeddings},
    "/api/create": {"POST": create},
    "/api/blobs/": {"POST": post_blob, "HEAD": head_blob},
    "/api/copy": {"POST": copy},
    "/api/delete": {"DELETE": delete},
    "/api/pull": {"POST": pull},
}


class Router:
    """Answers every request of one engine."""

    def __init__(self, engine: Engine, *, is_loopback: bool) -> None:
        self._engine = engine
        self._checks_host = is_loopback
        self._hostname = socket.gethostname().lower()

    def answer(self, exchange: Exchange) -> None:
        """Answer one request."""
        start = time.monotonic()
        try:
            self._routed(exchange)
        except Cancelled:
            exchange.status = exchange.status or Cancelled.status
            raise
        except EngineFailure as failure:
            self._fail(exchange, failure.status, str(failure))
        except (OSError, msgspec.MsgspecError, RuntimeError, LookupError, TypeError) as error:
            _log.exception("unexpected failure path=%s", exchange.path)
            self._fail(exchange, HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        finally:
            _log.log(
                _level(exchange),
                "%d | %9.3fs | %s %s",
                exchange.status,
                time.monotonic() - start,
                exchange.method,
                exchange.path,
            )

    def _fail(self, exchange: Exchange, status: int, text: str) -> None:
        is_late = bool(exchange.status)
        exchange.send_error(status, text)
        if is_late:
            exchange.end_stream()

    def _routed(self, exchange: Exchange) -> None:
        if self._checks_host and not is_allowed_host(exchange.headers.get("Host") or "", self._hostname):
            exchange.send(HTTPStatus.FORBIDDEN, "", b"")
            return
        path = "/api/blobs/" if exchange.path.startswith("/api/blobs/") else exchange.path
        methods = ROUTES.get(path)
        if methods is None:
            exchange.send_text(HTTPStatus.NOT_FOUND, "404 page not found")
        elif exchange.method == "OPTIONS":
            exchange.send(HTTPStatus.NO_CONTENT, "", b"")
        elif exchange.method not in methods:
            exchange.send_text(HTTPStatus.METHOD_NOT_ALLOWED, "405 method not allowed")
        else:
            methods[exchange.method](self._engine, exchange)


def _level(exchange: Exchange) -> int:
    """Whoever watches the engine asks every few seconds: that must not hide what else happens."""
    is_quiet = exchange.status == HTTPStatus.OK and exchange.path in _QUIET and exchange.method != "POST"
    return logging.DEBUG if is_quiet else logging.INFO


def is_allowed_host(host: str, hostname: str) -> bool:
    """Whether a Host header may reach a loopback listener: this guards against DNS rebinding."""
    name = _without_port(host.strip().lower())
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in ("", "localhost", hostname) or name.endswith(_LOCAL_ENDINGS)
    return address.is_loopback or address.is_private or address.is_unspecified


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
