"""Whether a model's answers to a prefill repeat the prefill, asked of the engine once per model.

Models that Ollama renders itself answer with the continuation alone; those that
go to llama-server's own chat route may repeat what they were given
[ollama.md, "Going on from a text"]. Guessing from the beginning of a real
continuation can err where it is short, so a sentence that nobody would begin
an answer with is tried.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ia0_daemon.engine.messages import Message
from ia0_daemon.engine.patience import LOOK_INTERVAL_S
from ia0_daemon.errors import CallerGone, EngineInterrupted, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ia0_daemon.engine.patience import Patience
    from ia0_daemon.settings.schema import Model

PREFILL = "Seventeen violet kettles, said the"
TRIAL = [Message("user", "Go on with my sentence."), Message("assistant", PREFILL)]
# Enough tokens to show a repetition of the prefill, in any tokenizer.
TRIAL_TOKENS = 16


class PrefillHabits:
    """What is known of each model; safe to use from many threads."""

    def __init__(self, ask: Callable[[Model, list[Message], int, Patience], str]) -> None:
        self._ask = ask
        self._repeats: dict[str, bool] = {}
        self._failed_at: dict[str, float] = {}
        self._trials: dict[str, threading.Lock] = {}

    def repeats(self, model: Model, patience: Patience) -> bool:
        """Say whether its answers begin with the prefill. If the trial fails: no, as Ollama's own.

        Raises `EngineInterrupted` where the engine is not there to be tried, and `CallerGone`.
        """
        came, trial = time.monotonic(), self._trials.setdefault(model.tag, threading.Lock())
        while not trial.acquire(timeout=LOOK_INTERVAL_S):
            patience.pause(0)  # another one tries; whoever waits may hang up
        try:
            known = self._repeats.get(model.tag)
            # Of those who waited for a trial that failed, nobody waits for one more.
            if known is None and self._failed_at.get(model.tag, came) <= came:
                known = self._try(model, patience)
            return bool(known)
        finally:
            trial.release()

    def _try(self, model: Model, patience: Patience) -> bool:
        try:
            text = self._ask(model, TRIAL, TRIAL_TOKENS, patience)
        except (CallerGone, EngineInterrupted):
            raise
        except ServiceError:
            self._failed_at[model.tag] = time.monotonic()
            return False
        self._repeats[model.tag] = text.lstrip().startswith(PREFILL[: len(PREFILL) // 2])
        return self._repeats[model.tag]
