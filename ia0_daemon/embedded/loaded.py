"""What the scheduler keeps: loaded models, requests that wait, and its figures.

Owns the shapes alone. Every change of them is made by ``scheduler``, under its lock.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ia0_daemon.embedded.cancellation import Context
from ia0_daemon.embedded.failures import EngineFailure
from ia0_daemon.embedded.launch import Launch


class LoadedRunner(Protocol):
    """What the scheduler needs of a child."""

    def wait_until_running(self, context: Context, timeout: float) -> None:
        """Wait until the model is loaded; raises and cleans up when it does not."""

    def answers(self) -> bool:
        """Whether the child still answers."""

    def close(self) -> None:
        """End the child and wait for its end."""


R = TypeVar("R", bound=LoadedRunner)


@dataclass
class Loaded(Generic[R]):
    """A model that is loaded, and who uses it."""

    runner: R
    launch: Launch
    keep_alive: float
    users: int = 0
    expires_at: float = 0.0  # seconds since the epoch, infinity for never; 0: it has not been idle yet
    has_to_go: bool = False  # a load waits for its place
    is_closing: bool = False  # its child is being ended

    @property
    def takes_more(self) -> bool:
        """Whether another request may take it; who uses it already goes on to the end."""
        return not (self.has_to_go or self.is_closing)

    def expires(self, now: float) -> float:
        """When it will be unloaded if nobody uses it again."""
        return self.expires_at or now + self.keep_alive

    def used(self, keep_alive: float | None) -> Loaded[R]:
        """The same, with one user more, whose keep-alive holds from now on if he has one."""
        self.users += 1
        if keep_alive is not None:
            self.keep_alive = keep_alive
            # Shown by /api/ps from now on; what counts is worked out when the last user leaves.
            self.expires_at = time.time() + keep_alive
        return self


@dataclass
class Waiting(Generic[R]):
    """A request in the queue."""

    context: Context
    launch: Launch
    keep_alive: float | None
    done: threading.Event = field(default_factory=threading.Event)
    loaded: Loaded[R] | None = None
    failure: EngineFailure | None = None
    is_abandoned: bool = False


@dataclass(frozen=True)
class Limits:
    """The scheduler's figures."""

    max_loaded: int
    max_queue: int
    keep_alive: float
    load_timeout: float
