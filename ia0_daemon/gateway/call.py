"""What one request has been through: the slip that travels with it from the first byte to the log line.

Owns the request's identity, its times and its outcome, and what must be freed
when it ends. Never decides anything.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ia0_daemon.engine.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.wanted import Result

OK = "OK"
# The route's label where no route matched, so that scanners cannot grow the metrics.
UNMATCHED = "unmatched"
# The route's label of a question which methods a path takes: nothing of the route itself was asked for.
ASKED_METHODS = "options"
# The route's label of what could not be read as a request.
UNREAD = "unread"
# A load in mid-request takes longer than this, to find a loaded model takes less; in seconds.
RELOAD_S = 0.5
# What belongs to the way to the engine, not to a caller.
JOURNEY = (
    "model", "passed_over", "truncated", "slot_s", "gate_s",
    "was_loaded", "askings", "asked_again", "resumed", "resumed_at", "first_token_at",
)  # fmt: skip


@dataclass(slots=True)
class Call:
    """One request of a caller. Times are monotonic seconds."""

    request_id: str
    method: str
    path: str
    route: str
    remote: str
    caller_gone: Callable[[], bool]
    began: float = field(default_factory=time.monotonic)
    resources: ExitStack = field(default_factory=ExitStack)
    """What is freed when the request ends, however it ends."""
    key: str = ""
    model: str = ""
    requested_model: str = ""
    reason: str = ""
    """Why this model: `named`, `language:pt`, or `default`."""
    passed_over: list[str] = field(default_factory=list)
    """Models that were to answer and could not."""
    cached: bool = False
    """The answer was kept from an equal request, or is shared with one at the same time."""
    pays: bool = True
    """Its key is charged for the tokens; those of a kept answer were, and those of a shared one are once."""
    truncated: dict[str, int] = field(default_factory=dict)
    """Where the prompt was shortened: its tokens, and those that the context holds."""
    context_full: bool = False
    """The answer ended because the model's context was full."""
    headers: dict[str, str] = field(default_factory=dict)
    """What the response bears beside its own headers."""
    stream: bool = False
    status: int = 200
    code: str = OK
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    pieces: int = 0
    """Lines that a stream has handed out, or that came of another answer: about as many tokens."""
    prompt_chars: int = 0
    """The prompt's characters, for what the engine has not said: a broken answer's tokens of the prompt."""
    finish_reason: str = ""
    first_token_at: float | None = None
    generation_s: float = 0.0
    """Seconds that the engine says it wrote tokens for."""
    reading_s: float = 0.0
    """Seconds that the engine says it read the prompt for: little where it knew the beginning already."""
    load_s: float = 0.0
    """Seconds that the engine says it took to have the model loaded: next to nothing where it was."""
    slot_s: float = 0.0
    """Seconds spent in the queue for one of the model's slots."""
    gate_s: float = 0.0
    """Seconds spent waiting at the gate while the engine was restarted."""
    was_loaded: bool = False
    """Whether the engine had the model loaded when it was asked."""
    askings: int = 0
    """How often the engine was asked: once, and once more for each time that it was cut or not there."""
    asked_at: float = float("-inf")
    """When it was asked last."""
    asked_again: int = 0
    """How often the whole request was asked again because the engine was cut."""
    resumed: int = 0
    """How often a stream went on from what was written."""
    resumed_at: list[int] = field(default_factory=list)
    """At which characters of its text."""
    writing_s: float = 0.0
    """Seconds that a stream waited for its caller to take what was written."""
    texts: dict[str, str] = field(default_factory=dict)
    """Prompt and answer, where the operator wants them in the log."""
    settle: Callable[[int], object] = bool
    """Is told the tokens that were spent, when all is over: the key's limits."""
    patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self.patience = Patience(self.caller_gone)

    def note_asking(self) -> None:
        """Count that the engine is asked now."""
        self.askings += 1
        self.asked_at = time.monotonic()

    def note_first_token(self) -> None:
        """Take the time of the first token."""
        if self.first_token_at is None:
            self.first_token_at = time.monotonic()

    def note_result(self, result: Result) -> None:
        """Take the figures of a complete answer."""
        self.note_first_token()
        self.prompt_tokens, self.completion_tokens = result.prompt_tokens, result.completion_tokens
        self.finish_reason = result.done_reason
        self.generation_s = result.eval_duration / 1e9
        self.reading_s = result.prompt_eval_duration / 1e9
        self.load_s = result.load_duration / 1e9

    def note_journey(self, other: Call) -> None:
        """Take what another slip, which went to the engine for several callers, has been through."""
        for name in JOURNEY:
            setattr(self, name, getattr(other, name))

    def note_failure(self, error: ServiceError) -> None:
        """Take the error that ends the request."""
        self.status, self.code, self.error = error.status, error.code, error.message

    @property
    def is_reload(self) -> bool:
        """Whether the engine loaded a model for this request that it had loaded, and was not restarted."""
        was_cut = self.asked_again or self.resumed
        return self.load_s > RELOAD_S and self.was_loaded and not (self.cached or was_cut)

    def spent_tokens(self, expected: int) -> int:
        """Give the tokens that the engine worked for; of a broken answer, about those that it read and wrote.

        `expected`: the tokens that the prompt probably has.
        """
        if not self.pays:
            return 0
        is_broken = self.pieces and not self.finish_reason
        return (expected if is_broken else self.prompt_tokens) + max(self.completion_tokens, self.pieces)

    def elapsed_s(self) -> float:
        """Give the seconds since the request came."""
        return time.monotonic() - self.began

    def first_token_s(self) -> float | None:
        """Give the seconds from the request to its first token: 0 where others had it before."""
        return None if self.first_token_at is None else max(0.0, self.first_token_at - self.began)
