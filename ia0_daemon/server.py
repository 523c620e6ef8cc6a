"""One daemon process from start to end: settings, engine, gateway, listeners, signals.

Owns the order in which things start and stop. Never answers a request itself.

    load -> bind or take over -> engine watch -> listeners -> control socket -> wait for a signal -> end
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client import disable_created_metrics

from ia0_daemon import __version__, descriptors, logs
from ia0_daemon.bind import CannotListen, bind_both, take_over
from ia0_daemon.control import CommandError, ControlServer, Handler
from ia0_daemon.control_file import SocketInUseError
from ia0_daemon.ending import SPARE_S, Ending
from ia0_daemon.gateway.app import api, probes
from ia0_daemon.gateway.assemble import live_of, live_with_engine_of, service_of
from ia0_daemon.gateway.health import counting, model_state, not_ready_because, troubles
from ia0_daemon.gateway.listener import Listener
from ia0_daemon.gateway.one_core import OneCore
from ia0_daemon.gateway.record import record_refusal
from ia0_daemon.gateway.shared_store import most_connections, open_store
from ia0_daemon.gateway.turned_away import MOST_FAREWELLS
from ia0_daemon.settings import listen_address
from ia0_daemon.settings.faults import ConfigError
from ia0_daemon.settings.restart import changed_needing_restart
from ia0_daemon.supervisor.supervision import LAST_RESTART_S, Supervision
from ia0_daemon.systemd import sockets
from ia0_daemon.systemd.notify import Notifier
from ia0_daemon.systemd.sockets import WrongSockets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ia0_daemon.gateway.service import Live
    from ia0_daemon.settings.load import Source
    from ia0_daemon.settings.schema import Settings

log = logging.getLogger(__name__)

# The small listener answers probes and a scrape; it needs few of everything.
PROBE_THREADS = 4
PROBE_CONNECTIONS = 100
PROBE_BODY_BYTES = 64 * 1024
# A probe is answered in milliseconds; in seconds.
PROBE_END_S = 3.0


class Daemon:
    """A daemon. `start` returns when it serves, `stop` when the last answer is out."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        notifier: Notifier | None = None,
        handed: Sequence[socket.socket] = (),
    ) -> None:
        """`handed`: listening sockets of systemd's, in place of those that would be bound here."""
        self._source, self._notifier, self._inherited = source, notifier or Notifier(), bool(handed)
        self._reloading = threading.Lock()
        self._connections = descriptors.fitting(
            settings.server.max_connections, needed_beside_connections(settings)
        )
        self._store = open_store(settings.shared)
        self.service = service_of(settings, self._store)
        self.supervision = Supervision(self.service, source)
        bind = partial(take_over, handed) if handed else bind_both
        self._api_socket, self._probe_socket = bind(settings.server.listen, settings.server.health_listen)
        commands: dict[str, Handler] = {"reload": lambda _: self.reload(), "status": lambda _: self.status()}
        self._control = ControlServer(settings.server.socket_path, commands | self.supervision.commands())

    def start(self) -> None:
        """Serve. Raises `SocketInUseError` or `OSError` where the control socket cannot be made."""
        server, metrics = self.service.live.settings.server, self.service.metrics
        self._control.start()
        self.service.live.watch.start()
        if self._store is not None:
            self._store.start()
        self._listeners = [
            Listener(
                api(self.service),
                self._api_socket,
                threads=server.threads,
                connections=self._connections,
                body_bytes=server.max_body_bytes,
                refused=partial(record_refusal, metrics=metrics),
                request_s=server.request_timeout_s,
                inherited=self._inherited,
                core=OneCore(),
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
                    limit_setting="",
                    inherited=self._inherited,
                )
            )
        for listener in self._listeners:
            listener.start()
        self.supervision.start(self._live_url(), self._beat, self._notifier.alive_interval_s)
        self._notifier.ready(self._sentence())
        log.info("serving", extra={"event": "started", "version": __version__, "listen": server.listen})

    def stop(self) -> None:
        """Take nothing new, let what is under way finish within `server.shutdown_grace_s`, end."""
        self.service.stopping = True
        self._notifier.stopping("ending: answers under way may finish")
        self.supervision.stop_heartbeat()
        ending = Ending(self.service, self.supervision, self._notifier)
        lost = ending.drain(self._listeners[0])
        self._control.stop()
        if self.supervision.is_restarting:
            self._notifier.more_time(LAST_RESTART_S + SPARE_S)
        self.supervision.stop()
        self.service.live.watch.stop()
        for listener in self._listeners[1:]:
            ending.drain(listener, PROBE_END_S)  # readiness says no until here
        for listener in self._listeners:
            listener.stop()
        self.service.limiter.close()
        if self._store is not None:
            self._store.close()
        log.info("stopped", extra={"event": "stopped", "cut": lost})

    def reload(self) -> dict[str, Any]:
        """Load the configuration again and go on with it, or refuse it whole and keep the old one."""
        with self._reloading:
            self._notifier.reloading()
            try:
                self._apply(self._source.load())
            except ConfigError as error:
                self._refuse("the configuration is wrong; the old one stays", error.lines())
            finally:
                self._notifier.ready(self._sentence())
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
            "troubles": troubles(self.service),
            "in_flight": self.service.admission.in_flight,
            "supervisor": self.supervision.status(),
            **self.supervision.facts(),
            **counting(self.service.limiter),
            "engine": {"host": live.settings.engine.host, "version": state.version, "error": state.error},
            "models": {model.name: model_state(live, model.tag) for model in live.catalog.models},
        }

    def _beat(self) -> None:
        self._notifier.alive()
        self._notifier.status(self._sentence())

    def _sentence(self) -> str:
        """Tell `systemctl status` in a line how the daemon is."""
        reasons = not_ready_because(self.service)
        listen = self.service.live.settings.server.listen
        drained = self.supervision.supervisor.drained
        words = [f"serving {listen}", *reasons]
        if drained is not None and not reasons:
            words.append(drained.sentence())
        return "; ".join(words)

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
            self.service.apply(live_with_engine_of(old, new))
        else:
            self._change_engine(new, old)
        logs.set_level(new.log.level)

    def _change_engine(self, new: Settings, old: Live) -> None:
        """Requests under way go on with the engine that they were asked of."""
        live = live_of(new, old)
        live.watch.start()
        self.service.apply(live)
        old.watch.stop()
        old.client.close()

    def _refuse(self, message: str, details: list[str]) -> None:
        self.service.metrics.reloads.labels("refused").inc()
        self.supervision.refused(message, details)
        raise CommandError(message, details)


def needed_beside_connections(settings: Settings) -> int:
    """Give how many descriptors a daemon needs beside its API's connections, without `descriptors.SPARE`."""
    server = settings.server
    # One to the engine for each request under way; and those of both listeners that are turned away.
    needed = server.max_in_flight + PROBE_CONNECTIONS + 2 * MOST_FAREWELLS
    return needed + most_connections(settings.shared, server.threads)


def run(source: Source) -> int:
    """Run a daemon until SIGTERM or SIGINT; SIGHUP reloads. Gives the process' exit code."""
    # A daemon that hangs is killed by systemd's watchdog with SIGABRT: then say where each thread was.
    faulthandler.enable(file=2)
    notifier = Notifier.from_environment(os.environ)
    try:
        settings = source.load()
    except ConfigError as error:
        sys.stderr.write("".join(f"{line}\n" for line in error.lines()))
        return 1
    logs.configure(settings.log.level)
    next_signal = _receive_signals()
    # Else every counter has a second series with its birthday, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own lack
    try:
        daemon = Daemon(source, settings, notifier, sockets.take(os.environ))
        daemon.start()
    except ConfigError as error:
        sys.stderr.write("".join(f"{line}\n" for line in error.lines()))
        return 1
    except (CannotListen, WrongSockets, SocketInUseError, OSError) as error:
        notifier.status(f"not started: {error}")
        sys.stderr.write(f"{error}\n")
        return 1
    while next_signal() == signal.SIGHUP:
        _reload(daemon)
    daemon.stop()
    return 0


def _receive_signals() -> Callable[[], int]:
    """Take signals from now on; gives what waits for the next one and tells its number.

    The interpreter's own handler writes each number into a pipe. Waiting for a queue that a
    handler of ours fills can miss one: it runs in the main thread alone, and not while that goes to sleep.
    """
    numbers, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return lambda: os.read(numbers, 1)[0]


def _reload(daemon: Daemon) -> None:
    try:
        daemon.reload()
    except CommandError as error:
        log.debug("SIGHUP: %s", error)  # `reload` has logged the refusal
