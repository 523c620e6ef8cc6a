"""The door of a listener: who is taken in, who is turned away, and whose time is up.

waitress' server with a loop of its own (`event_loop.py`). Above the bound of
connections waitress would take nobody, and those who knock would wait in the
kernel without a word; here they are taken, told OVERLOADED, and closed.

    knock -> a connection | turned away        once a second -> those whose time is up are ended

Owns the bound of connections. Never answers a request that can be read.
"""

from __future__ import annotations

import logging
import os
import resource
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from ia0_daemon.errors import Overloaded, RequestTimeout
from ia0_daemon.gateway.connection import Connection
from ia0_daemon.gateway.event_loop import Loop, Watched
from ia0_daemon.gateway.turned_away import TurnedAway, tell_once
from ia0_daemon.gateway.workers import Workers

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from flask import Flask

    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.one_core import OneCore

log = logging.getLogger(__name__)

# When a place is free again nobody knows: the honest word is "soon"; in seconds.
RETRY_AFTER_S = 1


class Door(TcpWSGIServer):
    """A waitress server on a socket that listens already."""

    channel_class = Connection

    def __init__(
        self,
        app: Flask,
        sock: socket.socket,
        settings: Adjustments,
        *,
        request_s: float,
        refused: Callable[[ServiceError], None],
        limit_setting: str,
        core: OneCore | None = None,
    ) -> None:
        """`limit_setting`: what an operator may raise where connections are turned away; empty: nothing."""
        self.refused, self.ending = refused, False
        self._request_s, self._limit_setting = float(request_s), limit_setting
        self._watched = Watched()
        self._turned_away = TurnedAway(self._watched)
        self._is_paused = False
        self._spare: int | None = None
        self._keep_spare()
        self._core = core
        workers: Any = Workers(settings.threads, core)  # the type stubs want waitress' own
        super().__init__(
            app,
            map=self._watched,
            _sock=sock,
            dispatcher=workers,
            adj=settings,
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            bind_socket=False,
        )
        trigger: Any = self.trigger  # the type stubs say `int`
        self.loop = Loop(self._watched, trigger.pull_trigger, self._upkeep)

    def run(self) -> None:
        """Serve until everything is closed."""
        if self._core is not None:
            self._core.join()
        self.loop.run()
        if self._core is not None:
            self._core.leave()
        if self._spare is not None:
            os.close(self._spare)

    def pull_trigger(self) -> None:
        """Have the loop see what has changed."""
        self.loop.wake()

    def readable(self) -> bool:
        """Whether those who knock are taken: waitress' own rule would leave them in the kernel."""
        return bool(self.accepting) and not self._is_paused

    def handle_accept(self) -> None:
        """Take one who has knocked."""
        self.accept_one()

    def accept_one(self) -> bool:
        """Take one who has knocked, in or to be told; false where nobody has."""
        try:
            knocked = self.accept()
        except OSError as error:
            return self._accept_on_spare(error)
        if knocked is None:
            return False
        sock, address = knocked
        limit = self.adj.connection_limit
        if len(self._open()) >= limit:
            self._turn_away(
                sock, self._overloaded(f"{limit} connections are open, and no more are taken", limit)
            )
            return True
        with suppress(OSError):  # the caller is gone already
            self.set_socket_options(sock)
        self.channel_class(self, sock, self.fix_addr(address), self.adj, map=self._watched)
        return True

    def _accept_on_spare(self, error: OSError) -> bool:
        """Without a free descriptor: give one up for as long as it takes to say so."""
        if self._spare is None:
            self._pause(error)
            return False
        os.close(self._spare)
        self._spare = None
        try:
            knocked = self.accept()
            if knocked is not None:
                self._tell_and_close(knocked[0])
        except OSError as again:
            self._pause(again)
            knocked = None
        self._keep_spare()
        return knocked is not None

    def _tell_and_close(self, sock: socket.socket) -> None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        refusal = self._overloaded(f"the daemon has {limit} files open and may open no more", limit)
        self.refused(refusal)
        tell_once(sock, refusal)
        sock.close()

    def _pause(self, error: OSError) -> None:
        """Let them wait in the kernel until the next upkeep; asking again at once would only burn time."""
        self._is_paused = True
        fields = {"event": "accept_failed", "errno": error.errno}
        log.warning("no connection can be taken: %s", error.strerror, extra=fields)

    def _keep_spare(self) -> None:
        with suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _overloaded(self, sentence: str, limit: int) -> Overloaded:
        details: dict[str, object] = {"limit": limit}
        if self._limit_setting:
            details["setting"] = self._limit_setting
        return Overloaded(sentence, retry_after_s=RETRY_AFTER_S, **details)

    def _turn_away(self, sock: socket.socket, error: ServiceError) -> None:
        self.refused(error)
        self._turned_away.tell(sock, error)

    def _open(self) -> dict[int, Connection]:
        channels: Any = self.active_channels  # the type stubs say that it is one of them
        return cast("dict[int, Connection]", channels)

    def _upkeep(self, now: float) -> None:
        self._is_paused = False
        if self._core is not None:
            self._core.look(now)
        if self._spare is None:
            self._keep_spare()
        for channel in list(self._open().values()):
            channel.end_overdue(now, self._request_s, self._too_slow)
        self._turned_away.close_overdue(now)

    def _too_slow(self, channel: Any) -> None:
        """Tell a caller whose request does not come to its end."""
        error = RequestTimeout(
            f"the request was not complete after {self._request_s:g} s",
            limit_s=self._request_s,
            setting="server.request_timeout_s",
        )
        channel.request.close()
        with suppress(OSError):  # no descriptor is free: it is closed without a word
            self._turn_away(channel.socket.dup(), error)
        channel.handle_close()
