"""One look at everything, top to bottom.

    find the engine -> its tree -> ask new children whether they have loaded
    -> the host and its limit -> GPUs -> disks -> pulls -> Sample

Owns the order and what is remembered from one look to the next. Never judges,
and never fails because one of its parts is not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ia0_daemon.settings.schema import Settings
from ia0_daemon.supervisor.read_disks import read_disks
from ia0_daemon.supervisor.read_engine import ChildArguments, read_engine
from ia0_daemon.supervisor.read_gpus import Gpus
from ia0_daemon.supervisor.read_host import read_host
from ia0_daemon.supervisor.read_limit import Limit
from ia0_daemon.supervisor.read_loaded import has_loaded
from ia0_daemon.supervisor.read_models import ModelNames
from ia0_daemon.supervisor.read_process import PROC
from ia0_daemon.supervisor.read_pull import PullWatch
from ia0_daemon.supervisor.samples import Child, EngineTree, FindEngine, Host, Identity, Sample


@dataclass(frozen=True)
class Surroundings:
    """What a sampler looks at; tests put something else in its place."""

    find_engine: FindEngine
    settings: Callable[[], Settings]
    is_pulling: Callable[[], bool] = lambda: False
    """Whether the daemon itself pulls a model."""
    proc: Path = PROC
    clock: Callable[[], float] = time.monotonic
    has_loaded: Callable[[int], bool | None] = has_loaded
    also: Callable[[], Collection[int]] = tuple
    """Processes that are the engine's although its tree does not show them: a unit's, orphans included."""
    limit: Callable[[int], Limit | None] = lambda _held: None
    """A limit around the engine that no file tells, given what the engine holds."""


class Sampler:
    """Takes samples of one engine and the machine around it."""

    def __init__(self, around: Surroundings, gpus: Gpus | None = None) -> None:
        self._around = around
        self._gpus = gpus or Gpus()
        self._names = ModelNames(around.clock, self._tags)
        self._pulls = PullWatch(around.clock)
        self._models_path = ""

    def read(self, is_new: Callable[[Identity], bool]) -> Sample:
        """Look once. Children for which `is_new` holds are asked whether they have loaded."""
        around = self._around
        settings = around.settings()
        pid = around.find_engine()
        engine, told = (
            (None, {}) if pid is None else read_engine(around.proc, pid, self._names.name, around.also())
        )
        self._remember(told)
        models_path = settings.engine.models_path or self._models_path
        return Sample(
            at_monotonic=around.clock(),
            engine=None if engine is None else self._asked(engine, told, is_new),
            host=self._host(engine),
            gpus=self._gpus.read(),
            disks=read_disks((models_path, settings.backup.path)),
            pulling=around.is_pulling() or self._pulls.is_pulling(models_path),
        )

    def close(self) -> None:
        """Let go of what is held open."""
        self._gpus.close()

    def _host(self, engine: EngineTree | None) -> Host:
        if engine is None:
            return read_host(self._around.proc, None)
        return read_host(self._around.proc, engine.pid, self._around.limit(engine.held_bytes))

    def _tags(self) -> list[str]:
        return [model.tag for model in self._around.settings().models.values()]

    def _remember(self, told: Mapping[Identity, ChildArguments]) -> None:
        self._names.keep(told.keys())
        self._models_path = next(
            (each.models_path for each in told.values() if each.models_path), self._models_path
        )

    def _asked(
        self, engine: EngineTree, told: Mapping[Identity, ChildArguments], is_new: Callable[[Identity], bool]
    ) -> EngineTree:
        def asked(child: Child) -> Child:
            port = told[child.identity].port
            if port is None or not is_new(child.identity):
                return child
            return child.saying(self._around.has_loaded(port))

        return replace(engine, children=tuple(asked(child) for child in engine.children))
