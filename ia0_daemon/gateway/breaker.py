"""Whether a model is worth asking: a breaker for each, which opens after failures in a row.

Owns the counts and the states. Never asks a model anything and never decides
who answers in its place.

    closed -> (failures in a row) -> open -> (open_s) -> half_open -> one probe: closed, or open again

`Breaker` is pure, its time is given. An outcome that comes while it is open is
of a request that began before, and changes nothing. While it is half open any
outcome counts: nobody can tell the probe's from that of such an old request,
and both say how the model is now.

A stream has two outcomes: that it began lets others in again, and its end says
whether the model is well. So the next failure after a probe that only began
opens it again, and a model that dies in the middle of all its streams is found.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How many failures in a row open a breaker, and for how long (seconds)."""

    failures: int
    open_s: float


@dataclass(slots=True)
class Breaker:
    """One breaker; each call is given the rule in force and the time now (monotonic seconds)."""

    in_a_row: int = 0
    opened: float | None = None
    """When it opened; none while it is closed."""
    probing: bool = False
    failed_at: float | None = None
    """When the last failure was."""

    def state(self, rule: Rule, now: float) -> State:
        """Say what it is; `half_open` from the time on at which a probe may go."""
        if self.opened is None:
            return "closed"
        return "half_open" if self.probing or now >= self.opened + rule.open_s else "open"

    def allows(self, rule: Rule, now: float) -> bool:
        """Let a request through, or not; half open the first alone, which is the probe."""
        state = self.state(rule, now)
        if state != "half_open":
            return state == "closed"
        first = not self.probing
        self.probing = True
        return first

    def succeeded(self, rule: Rule, now: float) -> bool:
        """Count a success; true where it closes."""
        state = self.state(rule, now)
        if state == "open":
            return False
        self.in_a_row, self.opened, self.probing = 0, None, False
        return state == "half_open"

    def began(self, rule: Rule, now: float) -> bool:
        """Take note of a stream's first piece; true where it closes, with one failure more to open it."""
        if self.state(rule, now) != "half_open":
            return False
        self.in_a_row, self.opened, self.probing = rule.failures - 1, None, False
        return True

    def failed(self, rule: Rule, now: float, since: float | None = None) -> bool:
        """Count a failure; true where it opens.

        `since`: when the engine was asked, if what ended the answer ends all that are under way
        at once: those that were asked for before the last failure are of that one.
        """
        state = self.state(rule, now)
        if state == "open" or (since is not None and self.failed_at is not None and since <= self.failed_at):
            return False
        self.failed_at = now
        self.in_a_row += 1
        if state == "closed" and self.in_a_row < rule.failures:
            return False
        self.opened, self.probing = now, False
        return True

    def gave_up(self) -> None:
        """Let another probe: the last one ended without an outcome."""
        self.probing = False

    def left_s(self, rule: Rule, now: float) -> float:
        """Give the seconds until a probe may go; 0 where one may or it is closed."""
        return 0.0 if self.opened is None else max(0.0, self.opened + rule.open_s - now)


class Breakers:
    """The breakers of all models. Safe to use from many threads.

    Who was allowed tells `succeeded`, `failed` or `gave_up` once. A stream tells `began` first, and
    nothing more where its caller leaves it.
    """

    def __init__(self, failures: int, open_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rule = Rule(failures, open_s)
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}

    def limit(self, failures: int, open_s: float) -> None:
        """Change the rule, as a reload does; it holds for what is open already, too."""
        with self._lock:
            self._rule = Rule(failures, open_s)

    def allows(self, model: str) -> bool:
        """Say whether this request may ask the model."""
        with self._lock:
            return self._of(model).allows(self._rule, self._clock())

    def began(self, model: str) -> None:
        """Say that the model's stream has begun."""
        with self._lock:
            closes = self._of(model).began(self._rule, self._clock())
        _tell_closed(model, closes=closes)

    def succeeded(self, model: str) -> None:
        """Say that the model answered."""
        with self._lock:
            closes = self._of(model).succeeded(self._rule, self._clock())
        _tell_closed(model, closes=closes)

    def failed(self, model: str, since: float | None = None) -> None:
        """Say that the model failed in a way that another try may not mend.

        `since`: see `Breaker.failed`, in seconds of the clock.
        """
        with self._lock:
            rule, breaker = self._rule, self._of(model)
            opens = breaker.failed(rule, self._clock(), since)
            in_a_row = breaker.in_a_row
        if opens:
            told = {"event": "breaker_open", "model": model, "failures": in_a_row, "open_s": rule.open_s}
            log.warning("a model is passed over, it failed again and again", extra=told)

    def gave_up(self, model: str) -> None:
        """Say that who was allowed ended without an outcome: its caller hung up, or was refused."""
        with self._lock:
            self._of(model).gave_up()

    def state(self, model: str) -> State:
        """Give `closed`, `open` or `half_open`."""
        with self._lock:
            return self._of(model).state(self._rule, self._clock())

    def retry_after_s(self, model: str) -> int:
        """Give a caller the seconds after which the model is tried again, at least 1."""
        with self._lock:
            return max(1, math.ceil(self._of(model).left_s(self._rule, self._clock())))

    def _of(self, model: str) -> Breaker:
        found = self._breakers.get(model)
        if found is None:
            found = self._breakers[model] = Breaker()
        return found


def _tell_closed(model: str, *, closes: bool) -> None:
    if closes:
        log.info("a model answers again", extra={"event": "breaker_closed", "model": model})
