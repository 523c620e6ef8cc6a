"""The listener and the connections: one thread for each, HTTP/1.1 with keep-alive.

    accept -> read a request -> answer(exchange) -> next request

Owns sockets and their end: ``close`` cuts every connection at once, as Ollama
does on SIGTERM. Never knows a route; ``answer`` is given.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

from ia0_daemon.embedded.cancellation import HangupWatcher
from ia0_daemon.embedded.exchange import Exchange
from ia0_daemon.embedded.failures import Cancelled, EngineFailure

_BACKLOG = 1024
_LONGEST_LINE = 65536
_log = logging.getLogger(__name__)

Answer = Callable[[Exchange], None]


class HttpServer:
    """An open listener. Callers can connect as soon as it exists; they are answered from ``serve`` on."""

    def __init__(self, host: str, port: int, answer: Answer) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self.answer = answer
        self.watcher = HangupWatcher()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it really listens on."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    def serve(self, wake: int) -> None:
        """Accept connections until there is something to read from the descriptor ``wake``."""
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        poller.register(wake, select.POLLIN)
        self._listener.setblocking(False)
        while wake not in (ready for ready, _ in poller.poll()):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):  # who knocked has gone again
                continue
            connection.setblocking(True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._talk, args=(connection,), name="connection", daemon=True).start()

    def close(self) -> None:
        """Stop listening and cut every connection, whatever is under way."""
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _talk(self, connection: socket.socket) -> None:
        try:
            _Connection(connection, self)
        except (OSError, ValueError):
            _log.debug("connection ended", exc_info=True)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


class _Connection(BaseHTTPRequestHandler):
    """Reads requests; the standard library's handler parses them."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, owner: HttpServer) -> None:
        self._owner = owner
        # The base class asks its server for nothing that this class leaves in place.
        super().__init__(connection, connection.getpeername(), None)  # type: ignore[arg-type]  # no server needed

    def handle_one_request(self) -> None:
        """Read one request and have it answered."""
        self.raw_requestline = self.rfile.readline(_LONGEST_LINE + 1)
        if not self.raw_requestline or len(self.raw_requestline) > _LONGEST_LINE:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        exchange = Exchange(
            self.connection,
            self.rfile,
            self.command,
            self.path.partition("?")[0],
            self.headers,
            keep_open=not self.close_connection,
            chunks_allowed=self.request_version != "HTTP/1.0",
        )
        self._answer(exchange)
        self.close_connection = self.close_connection or not exchange.keep_open

    def _answer(self, exchange: Exchange) -> None:
        try:
            with self._owner.watcher.watching(self.connection, exchange.context):
                self._owner.answer(exchange)
            exchange.finish_body()
        except (Cancelled, EngineFailure, ValueError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep the standard library's own lines out of the log; ``routes`` writes one per request."""
