"""The supervisor's eyes and judgement: one look at a time, in the light of those before it.

    look():  read -> follow the baselines -> judge -> remember

Owns what is remembered: the last samples, the baselines, the last verdict.
Effects are the sampler's; the rules are `baseline.py`'s and `judge.py`'s.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ia0_daemon.settings.schema import Memory, Settings
from ia0_daemon.supervisor.baseline import Baselines, follow, from_builtins, to_builtins
from ia0_daemon.supervisor.judge import judge
from ia0_daemon.supervisor.read_process import PROC
from ia0_daemon.supervisor.read_sample import Sampler
from ia0_daemon.supervisor.samples import Sample
from ia0_daemon.supervisor.thresholds import Thresholds, resolve
from ia0_daemon.supervisor.verdicts import Verdict


@dataclass(frozen=True)
class View:
    """The newest sample with everything that its verdict was made of."""

    sample: Sample
    baselines: Baselines
    thresholds: Thresholds
    verdict: Verdict


class Sense:
    """Watches one engine's memory."""

    def __init__(
        self,
        sampler: Sampler,
        settings: Callable[[], Settings],
        save: Callable[[dict[str, object]], None] = lambda _: None,
        proc: Path = PROC,
    ) -> None:
        """`save` keeps the baselines for the next start of the daemon; called when they change."""
        self._sampler, self._settings, self._save = sampler, settings, save
        self._boot_id = _boot_id(proc)
        self._samples: deque[Sample] = deque()
        self._baselines = Baselines()
        self._verdict = Verdict()
        self._looking = threading.Lock()
        self._view: View | None = None

    @property
    def view(self) -> View | None:
        """The last look, for metrics and for whoever asks why; None before the first."""
        return self._view

    def recall(self, stored: object, now: float) -> None:
        """Take over the baselines that `save` was given before the daemon was restarted."""
        self._baselines = from_builtins(stored, self._boot_id, now)

    def look(self) -> tuple[Sample, Verdict]:
        """Take one sample and judge it with those before it."""
        with self._looking:
            memory = self._settings().memory
            sample = self._sampler.read(lambda owner: owner not in self._baselines.known)
            self._follow(sample, memory)
            self._remember(sample, memory)
            thresholds = resolve(memory, sample.host)
            self._verdict = judge(tuple(self._samples), self._baselines, thresholds, self._verdict)
            self._view = View(sample, self._baselines, thresholds, self._verdict)
            return sample, self._verdict

    def close(self) -> None:
        """Let go of what is held open."""
        self._sampler.close()

    def _follow(self, sample: Sample, memory: Memory) -> None:
        before = self._baselines
        self._baselines = follow(before, sample, memory)
        if before.known.keys() != self._baselines.known.keys():
            self._save(to_builtins(self._baselines, self._boot_id))

    def _remember(self, sample: Sample, memory: Memory) -> None:
        self._samples.append(sample)
        while len(self._samples) > max(memory.soft_samples, memory.hard_samples):
            self._samples.popleft()


def _boot_id(proc: Path) -> str:
    return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
