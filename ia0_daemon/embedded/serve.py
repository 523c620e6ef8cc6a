"""``ia0-engine serve``: the engine from its start to its end.

    listen -> prune -> answer until SIGTERM -> cut every connection -> kill the children

Owns the order of these, which is Ollama's: the listener is open before anything
is answered, and nothing is drained at the end.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import sys
import threading
import time
from types import FrameType

from ia0_daemon.embedded.engine import Engine
from ia0_daemon.embedded.environment import EngineSettings
from ia0_daemon.embedded.faults import Fault
from ia0_daemon.embedded.http_server import HttpServer
from ia0_daemon.embedded.prune import prune
from ia0_daemon.embedded.routes import Router

_log = logging.getLogger(__name__)


class _Stop(Exception):
    """A signal asked for the end."""


def serve(settings: EngineSettings) -> int:
    """Run in the foreground until SIGTERM or SIGINT; the exit code."""
    _log_to_stderr(debug=settings.debug)
    _log.info(
        "IA-0 embedded engine %s: a stand-in for Ollama, for trying out and for tests", settings.version
    )
    wake = _receive_signals()
    engine = Engine(settings)
    server = HttpServer(settings.host, settings.port, lambda _: None)
    try:
        _start(engine, server, settings)
        server.serve(wake)
    except _Stop:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _log.info("stopping: connections are cut, children are killed")
        server.close()
        engine.scheduler.close()
    _leave()
    return 0


def _start(engine: Engine, server: HttpServer, settings: EngineSettings) -> None:
    host, port = server.address
    server.answer = Router(engine, is_loopback=ipaddress.ip_address(host).is_loopback).answer
    engine.store.prepare()
    if not settings.no_prune:
        prune(engine.store, time.time())
    if settings.faults:
        _log.warning("faults are on: %s", settings.faults.described())
    if not settings.faults.hit(Fault.CPU_ONLY):
        _log.info("computes on the CPU, but reports size_vram as a host with a GPU would")
    delay = settings.faults.number(Fault.SLOW_START_S)
    if delay:
        time.sleep(delay)
    _log.info("Listening on %s:%d (version %s)", host, port, settings.version)


def _receive_signals() -> int:
    """Take signals from now on; gives a descriptor that can be read once one has come.

    A handler runs between two steps of the main thread: a signal that comes just before it waits for a
    connection would else be noticed with the next connection.
    """
    wake, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    return wake


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Stop


def _leave() -> None:
    # Threads that answer connections may still be at it; their connections are cut already.
    logging.shutdown()
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(0)


def _log_to_stderr(*, debug: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.INFO,
        format="time=%(asctime)s level=%(levelname)s source=%(module)s msg=%(message)s",
        stream=sys.stderr,
    )
