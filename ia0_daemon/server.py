"""One daemon process from start to end: settings, engine, gateway, listeners, signals.

Owns the order in which things start and stop. Never answers a request itself.

    load -> bind -> engine watch -> listeners -> control socket -> wait for a signal -> drain -> stop
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client import disable_created_metrics

from ia0_daemon import __version__, logs
from ia0_daemon.control import CommandError, ControlServer, Handler
from ia0_daemon.control_file import SocketInUseError
from ia0_daemon.engine.client import EngineClient
from ia0_daemon.engine.control import EngineControl
from ia0_daemon.engine.watch import EngineWatch
from ia0_daemon.engine.wire import Wire
from ia0_daemon.gate import Gate
from ia0_daemon.gateway.app import api, probes
from ia0_daemon.gateway.health import model_state, not_ready_because
from ia0_daemon.gateway.listener import Listener
from ia0_daemon.gateway.metrics import Metrics
from ia0_daemon.gateway.record import record_refusal
from ia0_daemon.gateway.service import Live, Service
from ia0_daemon.settings import engine_address, listen_address
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.restart import changed_needing_restart
from ia0_daemon.supervisor.supervision import Supervision

if TYPE_CHECKING:
    from types import FrameType

    from ia0_daemon.settings.load import Source
    from ia0_daemon.settings.schema import Settings

log = logging.getLogger(__name__)

# The small listener answers probes and a scrape; it needs few of everything.
PROBE_THREADS = 4
PROBE_CONNECTIONS = 100
PROBE_BODY_BYTES = 64 * 1024
# Connections that wait in the kernel until they are accepted.
BACKLOG = 1024
# How often the drain looks whether all answers are out, in seconds.
DRAIN_LOOK_S = 0.05


class CannotListen(Exception):
    """An address of the configuration cannot be bound."""


class Daemon:
    """A daemon. `start` returns when it serves, `stop` when the last answer is out."""

    def __init__(self, source: Source, settings: Settings) -> None:
        self._source = source
        self._reloading = threading.Lock()
        gate = Gate(settings.restart.max_waiting, settings.restart.max_wait_s)
        self.service = Service(_live(settings), Metrics(), gate)
        self.supervision = Supervision(self.service, source)
        self.service.metrics.watch(self.service)
        self._api_socket, self._probe_socket = _bind_both(
            settings.server.listen, settings.server.health_listen
        )
        commands: dict[str, Handler] = {"reload": lambda _: self.reload(), "status": lambda _: self.status()}
        self._control = ControlServer(settings.server.socket_path, commands | self.supervision.commands())

    def start(self) -> None:
        """Serve. Raises `SocketInUseError` or `OSError` where the control socket cannot be made."""
        server, metrics = self.service.live.settings.server, self.service.metrics
        self._control.start()
        self.service.live.watch.start()
        self._listeners = [
            Listener(
                api(self.service),
                self._api_socket,
                threads=server.threads,
                connections=server.max_connections,
                body_bytes=server.max_body_bytes,
                refused=partial(record_refusal, metrics=metrics),
            )
        ]
        if self._probe_socket is not None:
            self._listeners.append(
                Listener(
                    probes(self.service),
                    self._probe_socket,
                    threads=PROBE_THREADS,
                    connections=PROBE_CONNECTIONS,
                    body_bytes=PROBE_BODY_BYTES,
                    refused=partial(record_refusal, metrics=metrics),
                )
            )
        for listener in self._listeners:
            listener.start()
        self.supervision.start(self._live_url())
        log.info("serving", extra={"event": "started", "version": __version__, "listen": server.listen})

    def stop(self) -> None:
        """Take nothing new, let what is under way finish within `server.shutdown_grace_s`, end."""
        self.service.stopping = True
        self._listeners[0].stop_accepting()
        lost = self._drain()
        self._control.stop()
        self.supervision.stop()
        self.service.live.watch.stop()
        for listener in self._listeners:
            listener.stop()
        log.info("stopped", extra={"event": "stopped", "cut": lost})

    def reload(self) -> dict[str, Any]:
        """Load the configuration again and go on with it, or refuse it whole and keep the old one."""
        with self._reloading:
            try:
                self._apply(self._source.load())
            except ConfigError as error:
                self._refuse("the configuration is wrong; the old one stays", error.lines())
        self.service.metrics.reloads.labels("applied").inc()
        self.supervision.reloaded()
        log.info("configuration reloaded", extra={"event": "reloaded"})
        return {"reloaded": True}

    def status(self) -> dict[str, Any]:
        """Tell what `ia0 status` shows."""
        live = self.service.live
        state = live.watch.state
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self.service.started, 1),
            "listen": live.settings.server.listen,
            "ready": not not_ready_because(self.service),
            "reasons": not_ready_because(self.service),
            "in_flight": self.service.admission.in_flight,
            "supervisor": self.supervision.status(),
            "engine": {"host": live.settings.engine.host, "version": state.version, "error": state.error},
            "models": {model.name: model_state(live, model.tag) for model in live.catalog.models},
        }

    def _live_url(self) -> str:
        """Give `/health/live` on the listener that callers use; everywhere means loopback too."""
        address = listen_address.parse(self.service.live.settings.server.listen)
        host = "127.0.0.1" if address.is_everywhere else address.host
        return f"http://{listen_address.ListenAddress(host, self._listeners[0].port)}/health/live"

    def _apply(self, new: Settings) -> None:
        old = self.service.live
        waiting = changed_needing_restart(old.settings, new)
        if waiting:
            keys = ", ".join(waiting)
            self._refuse(f"{keys} changed, which needs a restart; nothing was applied", waiting)
        if new.engine == old.settings.engine:
            self.service.live = Live.of(new, old.client, old.watch)
        else:
            self._change_engine(new, old)
        logs.set_level(new.log.level)

    def _change_engine(self, new: Settings, old: Live) -> None:
        """Requests under way go on with the engine that they were asked of."""
        live = _live(new)
        live.watch.start()
        self.service.live = live
        old.watch.stop()
        old.client.close()

    def _refuse(self, message: str, details: list[str]) -> None:
        self.service.metrics.reloads.labels("refused").inc()
        self.supervision.refused(message, details)
        raise CommandError(message, details)

    def _drain(self) -> int:
        until = time.monotonic() + self.service.live.settings.server.shutdown_grace_s
        while self.service.admission.in_flight and time.monotonic() < until:
            time.sleep(DRAIN_LOOK_S)
        return self.service.admission.in_flight


def run(source: Source) -> int:
    """Run a daemon until SIGTERM or SIGINT; SIGHUP reloads. Gives the process' exit code."""
    try:
        settings = source.load()
    except ConfigError as error:
        sys.stderr.write("".join(f"{line}\n" for line in error.lines()))
        return 1
    logs.configure(settings.log.level)
    told = _receive_signals()
    # Else every counter has a second series with its birthday, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own lack
    try:
        daemon = Daemon(source, settings)
        daemon.start()
    except (CannotListen, SocketInUseError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    while told.get() == signal.SIGHUP:
        _reload(daemon)
    daemon.stop()
    return 0


def _receive_signals() -> queue.SimpleQueue[int]:
    """Take signals from now on. A handler may interrupt `get` anywhere: of all queues this one allows it."""
    told: queue.SimpleQueue[int] = queue.SimpleQueue()

    def tell(number: int, _frame: FrameType | None) -> None:
        told.put(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, tell)
    return told


def _reload(daemon: Daemon) -> None:
    try:
        daemon.reload()
    except CommandError as error:
        log.debug("SIGHUP: %s", error)  # `reload` has logged the refusal


def _live(settings: Settings) -> Live:
    address = engine_address.parse(settings.engine.host)
    control = EngineControl(address, settings.engine.control_timeout_s)
    watch = EngineWatch(control, settings.engine.poll_interval_s)
    wire = Wire(address, settings.engine.connect_timeout_s)
    return Live.of(settings, EngineClient(wire, watch, settings.engine), watch)


def _bind_both(listen: str, health_listen: str) -> tuple[socket.socket, socket.socket | None]:
    api_socket = _bind("server.listen", listen)
    try:
        return api_socket, _bind("server.health_listen", health_listen) if health_listen else None
    except CannotListen:
        api_socket.close()
        raise


def _bind(key: str, text: str) -> socket.socket:
    address = listen_address.parse(text)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotListen(f"{key}: {text} cannot be listened on: {error.strerror}") from error
    return sock
