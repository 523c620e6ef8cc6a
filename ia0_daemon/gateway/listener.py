"""An application served on one socket, in a thread of its own.

Owns start and end. What the door and its connections decide before any
application is asked is in `door.py` and `connection.py`. Never routes.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments

from ia0_daemon.gateway.door import Door

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.one_core import OneCore

# How long worker threads and the loop may take to end once nothing is under way, in seconds.
STOP_S = 1
# How long a request may take to arrive where nothing else is said, in seconds.
REQUEST_S = 60.0


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
        request_s: float = REQUEST_S,
        limit_setting: str = "server.max_connections",
        inherited: bool = False,
        core: OneCore | None = None,
    ) -> None:
        """`request_s`: how long a request may take to arrive, in seconds.

        `limit_setting`: the setting behind `connections`, where there is one. `inherited`:
        somebody else holds the socket, too, and will serve it when this process is gone.
        `core`: where its threads run.
        """
        settings: Any = Adjustments(
            sockets=[sock],
            threads=threads,
            connection_limit=connections,
            # waitress refuses a body of just this size, too.
            max_request_body_size=body_bytes + 1,
            # Without it a caller who hangs up is noticed only at the next write.
            channel_request_lookahead=1,
            ident="ia0",
            expose_tracebacks=False,
            clear_untrusted_proxy_headers=True,
        )
        # Else small chunks of a stream wait until 18,000 bytes are there. As an argument it is deprecated.
        settings.send_bytes = 1
        self._server: Any = Door(
            app,
            sock,
            settings,
            request_s=request_s,
            refused=refused,
            limit_setting=limit_setting,
            core=core,
        )
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
        while self._server.accept_one():
            pass
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
