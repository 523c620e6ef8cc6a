"""The supervisor with everything that it needs, put together for one daemon.

Owns which part gets what, and the order of start and stop. Holds no rule.

    EventStore, Sense, Controller, Gate -> Supervisor <-> Remedy;   Schedule -> tick;   Heartbeat
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Gauge

from ia0_daemon.alerts.desk import AlertDesk
from ia0_daemon.backup import state as backup_state
from ia0_daemon.backup.service import BackupService
from ia0_daemon.control import CommandError
from ia0_daemon.supervisor import event_kinds
from ia0_daemon.supervisor.baseline_file import BaselineFile
from ia0_daemon.supervisor.controller import Controller, ObserveOnly, ProcessController
from ia0_daemon.supervisor.drain_commands import DrainCommands
from ia0_daemon.supervisor.engine_view import EngineView
from ia0_daemon.supervisor.event_metrics import EventMetrics
from ia0_daemon.supervisor.event_rows import Keep
from ia0_daemon.supervisor.event_store import EventStore
from ia0_daemon.supervisor.events import Event
from ia0_daemon.supervisor.explain import account
from ia0_daemon.supervisor.find_engine import Listener as PortListener
from ia0_daemon.supervisor.gauges import Gauges
from ia0_daemon.supervisor.heartbeat import Heartbeat
from ia0_daemon.supervisor.memory_metrics import MemoryMetrics
from ia0_daemon.supervisor.operator_drain import DrainFile
from ia0_daemon.supervisor.probe import Probe
from ia0_daemon.supervisor.probed_engine import LiveEngine
from ia0_daemon.supervisor.read_sample import Sampler, Surroundings
from ia0_daemon.supervisor.read_unit import UnitReader
from ia0_daemon.supervisor.remedy import Engine, Remedy
from ia0_daemon.supervisor.schedule import TICK, Schedule
from ia0_daemon.supervisor.sense import Sense
from ia0_daemon.supervisor.supervisor import Supervisor
from ia0_daemon.supervisor.tell_status import tell_facts, tell_status
from ia0_daemon.supervisor.unit_controller import UnitController
from ia0_daemon.supervisor.verdicts import State
from ia0_daemon.systemd.unit import Unit

if TYPE_CHECKING:
    from ia0_daemon.gateway.service import Service
    from ia0_daemon.settings.load import Source
    from ia0_daemon.settings.schema import Settings

# A tick may be late by this many intervals before the heartbeat stops; a sample takes milliseconds.
LATE_TICKS = 4
# How often time conditions of alerts are judged, and what is due is told again, in seconds.
ALERTS_INTERVAL_S = 15.0
# How often history and archives are looked over for what may go, in seconds.
PRUNE_INTERVAL_S = 3600.0
BASELINES, DRAIN = "baselines.json", "drain.json"
# How long a daemon that ends waits for a restart that is under way, in seconds.
LAST_RESTART_S = 30.0


class Supervision:
    """One daemon's supervisor. `start` returns when it watches."""

    def __init__(self, service: Service, source: Source) -> None:
        self._service, self._source = service, source
        settings = self._settings()
        registry = service.metrics.registry
        event_metrics = EventMetrics(registry)
        self.events = EventStore(Path(settings.events.path), _keep(settings), event_metrics)
        self._backups = BackupService(source, settings, recorder=self.events)
        self._alerts = AlertDesk(settings, self.events, event_metrics, newest_backup=self._newest_backup)
        self._baselines = BaselineFile(Path(settings.events.path).with_name(BASELINES))
        self._view = EngineView(service)
        self._engine = Engine(self._view.loaded, self._view.answers, self._view.warm)
        self._controller = _controller(settings)
        self.sense = Sense(Sampler(self._surroundings()), self._settings, self._baselines.save)
        registry.register(MemoryMetrics(lambda: self.sense.view, self._view.public_names))
        self.supervisor = Supervisor(
            service.gate,
            self._controller,
            self.sense,
            self._view.answering,
            lambda: service.live.client.progress.silences(),
            self._settings,
            self.record,
        )
        self.supervisor.remedy = Remedy(
            service.gate,
            self._controller,
            self._engine,
            lambda: self._settings().restart,
            self.record,
            self.supervisor.note_done,
        )
        drain_file = DrainFile(Path(settings.events.path).with_name(DRAIN))
        self.drains = DrainCommands(self.supervisor, service.gate, self._engine, drain_file, self._settings)
        self.drains.recall()
        probes = Counter("ia0_probes", "Probes of idle models, by result.", ("result",), registry=registry)
        self.supervisor.probe = Probe(
            LiveEngine(lambda: service.live),
            self.supervisor.may_probe,
            lambda: self._settings().restart,
            lambda result: probes.labels(result).inc(),
        )
        self._jobs_failed = Counter(
            "ia0_job_failures", "Scheduled jobs that raised, by job.", ("job",), registry=registry
        )
        self._beats = Gauge(
            "ia0_heartbeat_timestamp_seconds",
            "When tick and listener were last both seen alive, Unix time.",
            registry=registry,
        )
        self.schedule = Schedule(lambda job: self._jobs_failed.labels(job).inc())
        self._heartbeat: Heartbeat | None = None
        self._beat_within_s = float("inf")
        registry.register(Gauges(self.supervisor, service.gate, lambda: self._backups.families()))
        service.is_hopeful = self.supervisor.is_hopeful
        service.supervisor_status = self.status
        service.nudge = lambda: self.schedule.soon(TICK)

    def start(
        self, live_url: str, beat: Callable[[], object] = bool, beat_within_s: float = float("inf")
    ) -> None:
        """Begin to watch; `live_url` is `/health/live` on the real listener.

        `beat` is called while tick and listener live, at least every `beat_within_s`.
        """
        self._beat_within_s = beat_within_s
        settings = self._settings()
        self.events.start()
        self._alerts.start()
        self.sense.recall(self._baselines.load(), time.monotonic())
        self._plan(settings)
        self.schedule.start()
        self.schedule.soon(TICK)

        def alive() -> None:
            self._beats.set_to_current_time()
            beat()

        self._heartbeat = Heartbeat(live_url, lambda: self.supervisor.ticked_at, alive, *self._pace(settings))
        self._heartbeat.start()
        self.record(event_kinds.Kind.DAEMON_STARTED, "The daemon serves.", {"pid": os.getpid()})

    def refused(self, message: str, details: list[str]) -> None:
        """Tell that a reload was refused."""
        self.record(event_kinds.Kind.CONFIG_REFUSED, f"A reload was refused: {message}", {"details": details})

    def reloaded(self) -> None:
        """Take over what a reload changed."""
        settings = self._settings()
        self._service.gate.limit(settings.restart.max_waiting, settings.restart.max_wait_s)
        self.events.keep(_keep(settings))
        self._backups = BackupService(self._source, settings, recorder=self.events)
        self._alerts.apply(settings)
        self._plan(settings)
        if self._heartbeat is not None:
            self._heartbeat.pace(*self._pace(settings))
        self.record(event_kinds.Kind.CONFIG_RELOADED, "The configuration was loaded again.", {})

    def stop_heartbeat(self) -> None:
        """Ask the listener no more: it is about to take no connections."""
        if self._heartbeat is not None:
            self._heartbeat.stop()

    @property
    def is_restarting(self) -> bool:
        """Whether a restart of the engine is under way."""
        return self.supervisor.remedy is not None and self.supervisor.remedy.is_running

    def stop(self) -> None:
        """End; the engine goes on."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self.schedule.stop()
        if self.supervisor.remedy is not None:
            # Ending between stop and start would leave this host without an engine.
            self.supervisor.remedy.join(LAST_RESTART_S)
        self.sense.close()
        self.record(event_kinds.Kind.DAEMON_STOPPED, "The daemon ended.", {})
        self._alerts.stop()
        self.events.stop()

    def commands(self) -> dict[str, Callable[[dict[str, object]], object]]:
        """Give what the `ia0` command may ask over the Unix socket."""
        return {
            "restart": self._restart,
            "drain": self.drains.drain,
            "under_way": lambda _: self.drains.under_way(),
            "undrain": self._undrain,
            "explain": lambda _: self._explain(),
            **self._alerts.commands(),
        }

    def record(self, kind: event_kinds.Kind, summary: str, details: dict[str, Any]) -> None:
        """Record an event; never raises."""
        self.events.record(Event.now(kind, summary, None, **details))

    def status(self) -> dict[str, Any]:
        """Tell how the supervisor is, for `/health` and `ia0 status`."""
        return tell_status(self.supervisor, can_restart=self._controller.can_restart)

    def facts(self) -> dict[str, Any]:
        """Tell what `ia0 status` says beside `status`: last restart, newest backup, the engine's memory."""
        archives = self._backups.folder.archives("backup")
        return tell_facts(self.supervisor, self.sense.view, archives[0] if archives else None)

    def _tick(self) -> None:
        self.supervisor.tick()
        if self.supervisor.last is not None:
            self._alerts.watch_disks(self.supervisor.last[0].disks)

    def _plan(self, settings: Settings) -> None:
        """Give every job its interval; slow ones have a thread of their own."""
        every, backup = self.schedule.every, settings.backup
        every(TICK, self._tick, settings.memory.sample_interval_s)
        every("alerts", self._alerts.repeat, ALERTS_INTERVAL_S)
        every("prune_events", self.events.prune, PRUNE_INTERVAL_S)
        made_s = self._backup_age_s()
        every("backup", self._back_up, backup.interval_s, slow=True, first_in_s=backup.interval_s - made_s)
        every("prune_backups", lambda: self._backups.prune_now(), PRUNE_INTERVAL_S, slow=True)
        every("restore_test", lambda: self._backups.restore_test(), backup.restore_test_interval_s, slow=True)

    def _back_up(self) -> None:
        self._backups.backup_now()

    def _backup_age_s(self) -> float:
        """How old the newest archive is, in seconds; a restart of the daemon begins no new day."""
        newest = self._newest_backup()
        return (datetime.now(UTC) - newest).total_seconds() if newest else float("inf")

    def _newest_backup(self) -> datetime | None:
        made_at = backup_state.read(Path(self._settings().backup.path)).backup.ok_at
        return datetime.fromtimestamp(made_at, UTC) if made_at else None

    def _pace(self, settings: Settings) -> tuple[float, float]:
        interval_s = settings.memory.sample_interval_s
        return min(interval_s, self._beat_within_s), LATE_TICKS * interval_s

    def _settings(self) -> Settings:
        return self._service.live.settings

    def _surroundings(self) -> Surroundings:
        controller, is_pulling = self._controller, self._service.pulls.is_pulling
        if isinstance(controller, UnitController):
            unit = UnitReader(controller)
            return Surroundings(
                lambda: controller.process().pid, self._settings, is_pulling, also=unit.pids, limit=unit.limit
            )
        if isinstance(controller, ProcessController):
            return Surroundings(lambda: controller.process().pid, self._settings, is_pulling)
        return Surroundings(PortListener(lambda: self._view.port, time.monotonic), self._settings, is_pulling)

    def _explain(self) -> list[str]:
        view = self.sense.view
        state = State() if view is None else self.supervisor.state(view.sample)
        return account(view, state, time.monotonic())

    def _restart(self, args: dict[str, object]) -> dict[str, Any]:
        if not self._controller.can_restart:
            raise CommandError(
                "the engine is observed only; restart.engine_unit or restart.engine_service_file "
                "says what the daemon may restart"
            )
        reason = str(args.get("reason") or "an operator asked for it")
        if not self.supervisor.restart(reason):
            raise CommandError("a restart is under way")
        return self.status()

    def _undrain(self, args: dict[str, object]) -> dict[str, Any]:
        self.drains.undrain(args)
        return self.status()


def _keep(settings: Settings) -> Keep:
    return Keep(settings.events.keep, settings.events.keep_age_s)


def _controller(settings: Settings) -> Controller:
    path, unit = settings.restart.engine_service_file, settings.restart.engine_unit
    if unit:
        return UnitController(Unit(unit))
    return ProcessController(Path(path)) if path else ObserveOnly()
