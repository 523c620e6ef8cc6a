"""A waitress server on one socket, with refusals of its own in the API's shape.

Owns what waitress decides before any application is asked: broken request
lines, oversized headers and bodies. Never routes.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask, WSGITask

from ia0_daemon.errors import InternalError, InvalidRequest, PayloadTooLarge, ServiceError
from ia0_daemon.gateway.parser import Parser
from ia0_daemon.gateway.respond import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

# How long worker threads and the loop may take to end once nothing is under way, in seconds.
STOP_S = 1


class Listener:
    """Serves an application on a bound socket, in a thread of its own."""

    def __init__(
        self,
        app: Flask,
        sock: socket.socket,
        *,
        threads: int,
        connections: int,
        body_bytes: int,
        refused: Callable[[ServiceError], None],
        inherited: bool = False,
    ) -> None:
        """`inherited`: somebody else holds the socket, too, and will serve it when this process is gone."""
        server: Any = create_server(
            app,
            sockets=[sock],
            threads=threads,
            connection_limit=connections,
            # waitress refuses a body of just this size, too.
            max_request_body_size=body_bytes + 1,
            # Without it a caller who hangs up is noticed only at the next write.
            channel_request_lookahead=1,
            # select() knows no descriptor above 1,023.
            asyncore_use_poll=True,
            # How often idle connections are looked over, and how long one may idle, in seconds.
            cleanup_interval=10,
            channel_timeout=120,
            ident="ia0",
            expose_tracebacks=False,
            clear_untrusted_proxy_headers=True,
        )
        # Else small chunks of a stream wait until 18,000 bytes are there. As an argument it is deprecated.
        server.adj.send_bytes = 1
        server.channel_class = _Channel
        server.refused = refused
        server.ending = False
        self._server = server
        self._inherited = inherited
        self._thread = threading.Thread(target=self._server.run, name=f"{app.name}-listener", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.effective_port)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop_accepting(self) -> None:
        """Take no new connections; those that are open end with the answer that is under way.

        Those that come now are refused, or wait for the next process where the socket is inherited.
        """
        self._server.ending = True
        self._in_loop(self._let_go if self._inherited else self._close_door)

    def is_busy(self, quiet_s: float) -> bool:
        """Whether a request is being read, answered or written, or a connection was used just now."""
        since = time.time() - quiet_s  # waitress' clock
        return any(_is_used(each) or each.last_activity > since for each in self._channels())

    def close_idle(self) -> bool:
        """Close the connections on which nothing has come; true when none is left."""
        done = threading.Event()

        def close() -> None:
            for channel in self._channels():
                if not _is_used(channel) and not _has_bytes(channel.socket):
                    channel.handle_close()
            done.set()

        self._in_loop(close)
        return done.wait(STOP_S) and not self._channels()

    def stop(self) -> None:
        """End the worker threads and close all sockets. Call it when nothing is under way any more."""
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=STOP_S)
        self._in_loop(lambda: wasyncore.close_all(self._server._map))
        self._thread.join(STOP_S)

    def _close_door(self) -> None:
        """Take those who have knocked already; closing the socket would reset their connections."""
        known = -1
        while known != len(self._server._map):
            known = len(self._server._map)
            self._server.handle_accept()
        wasyncore.dispatcher.close(self._server)

    def _let_go(self) -> None:
        """Forget the socket: closing it here takes nothing from those who hold it, too."""
        wasyncore.dispatcher.close(self._server)

    def _channels(self) -> list[Any]:
        return list(self._server.active_channels.values())

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Have the loop do it: closing a descriptor that another thread polls ends in a traceback."""
        self._server.trigger.pull_trigger(action)


def _is_used(channel: Any) -> bool:
    return bool(channel.requests or channel.request is not None or channel.total_outbufs_len)


def _has_bytes(sock: socket.socket) -> bool:
    """Whether a request has begun to arrive that nobody has read yet."""
    try:
        return bool(sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


class _JsonErrorTask(ErrorTask):
    """What waitress refuses, in the one shape of errors."""

    def execute(self) -> None:
        """Write the refusal and close the connection: the rest of the request cannot be read."""
        error = self._error()
        body = encode(error.body())
        self.status = f"{error.status} {error.code}"
        self.response_headers = [("Content-Type", "application/json"), *error.headers().items()]
        self.set_close_on_finish()
        self.content_length = len(body)
        server: Any = self.channel.server
        server.refused(error)
        self.write(body)

    def _error(self) -> ServiceError:
        request: Any = self.request  # its parser sets `error`; the type stubs do not say so
        refusal = request.error
        if refusal.code >= 500 and refusal.code != 501:
            return InternalError()
        if refusal.code == 413:
            limit = self.channel.server.adj.max_request_body_size - 1
            return PayloadTooLarge(
                f"the body is larger than server.max_body_bytes allows, which is {limit} bytes",
                limit=limit,
                setting="server.max_body_bytes",
            )
        return InvalidRequest(
            f"this is no HTTP request that can be read: {refusal.body}", reason=refusal.reason
        )


class _Task(WSGITask):
    """A request; while the listener ends, its connection ends with it."""

    def build_response_header(self) -> bytes:
        """Say `Connection: close` where the next request could not be answered any more."""
        server: Any = self.channel.server
        if server.ending:
            self.set_close_on_finish()
        return super().build_response_header()


class _Channel(HTTPChannel):
    """A connection whose refusals are JSON."""

    parser_class = Parser
    task_class = _Task
    error_task_class = _JsonErrorTask
