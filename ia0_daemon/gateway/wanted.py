"""What a request asks for, whatever route it came by.

Owns the one form that all routes turn their bodies into, and the form of an
answer that they all write from. Pure.

    a route's body -> Wanted -> (answer.py) -> Result -> a route's Shape -> bytes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ia0_daemon.engine.messages import CHAT, ChatLine, Message

if TYPE_CHECKING:
    from ia0_daemon.errors import ServiceError
    from ia0_daemon.gateway.call import Call

# llama.cpp takes this one (LLAMA_DEFAULT_SEED) for "another one each time", and Ollama hands -1 on as it.
RANDOM_SEED = 2**32 - 1

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for text."""

    model: str | None
    """A public name, an alias or an engine's tag; none, or `auto`, leaves the choice to the router."""
    messages: list[Message]
    options: dict[str, Any]
    """Sampling options under Ollama's names; `num_predict` is always among them."""
    stream: bool = False
    path: str = CHAT
    """The engine's route: `/api/chat`, or `/api/generate` for what only that can do."""
    fields: dict[str, Any] = field(default_factory=dict)
    """What the engine's body has beside model, messages and options."""
    may_resume: bool = True
    """Whether a stream that is cut may go on by prefill; only plain text of `/api/chat` can."""
    truncate: bool = False
    """Whether a prompt that does not fit may be shortened; the answer then says so."""
    cache: bool | None = None
    """Whether the answer may be kept; none: if it is determined (temperature 0, or a seed)."""
    is_single: bool = False
    """Whether it is one prompt without a conversation, which a model's template stands around."""
    is_careful: bool = True
    """Whether the configuration's system texts and white space rules hold; not for raw prompts."""

    def text(self) -> str:
        """Give what the router judges the language by: the last words of the user's."""
        said = [message.content for message in self.messages if message.role == "user"]
        return said[-1] if said else str(self.fields.get("prompt", ""))

    def chars(self) -> int:
        """Count the characters of the prompt."""
        return sum(len(each.content) for each in self.messages) + len(self.fields.get("prompt", ""))

    def system(self) -> str:
        """Give what the request itself tells the model before the prompt."""
        said = [message.content for message in self.messages if message.role == "system"]
        return "\n\n".join(said) or str(self.fields.get("system", ""))

    @property
    def is_determined(self) -> bool:
        """Whether the same request has the same answer."""
        return self.options.get("temperature") == 0 or 0 <= self.options.get("seed", -1) < RANDOM_SEED


class Result(msgspec.Struct, array_like=True):
    """A whole answer, as it is kept and as routes write it. Durations in ns."""

    text: str
    done_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thinking: str = ""
    tool_calls: list[Any] = []
    logprobs: list[Any] | None = None
    context: list[int] | None = None
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_duration: int = 0
    eval_duration: int = 0


class Shape(Protocol):
    """How one route writes its answers. One is made for each request."""

    stream_type: str
    """The media type of its streams."""

    def whole(self, call: Call, result: Result) -> bytes:
        """Write a whole answer as one JSON object."""

    def opening(self, call: Call) -> bytes:
        """Write what a stream begins with; often nothing."""

    def piece(self, call: Call, lines: Sequence[ChatLine]) -> bytes:
        """Write what came in one read: at least one line, each of which brings something."""

    def closing(self, call: Call, result: Result) -> bytes:
        """Write what a stream ends with."""

    def failure(self, call: Call, error: ServiceError) -> bytes:
        """Write an error behind the first byte of a stream, where there is no status any more."""


def result_of(lines: Sequence[ChatLine], text: str, last: ChatLine, tokens: tuple[int, int]) -> Result:
    """Make the whole of an answer's lines; `tokens` are the prompt's and the completion's."""
    # Most lines are text and nothing else.
    rich = [line for line in lines if line.is_rich]
    logprobs = [each for line in rich if line.logprobs for each in line.logprobs]
    return Result(
        text=text,
        done_reason=last.done_reason or "stop",
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        thinking="".join([line.thought for line in rich]),
        tool_calls=[call for line in rich for call in line.calls],
        logprobs=logprobs or None,
        context=last.context,
        total_duration=last.total_duration,
        load_duration=last.load_duration,
        prompt_eval_duration=last.prompt_eval_duration,
        eval_duration=last.eval_duration,
    )
