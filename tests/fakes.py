"""Stand-ins for the engine's side of the gateway: what they say is set by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ia0_daemon.engine.client import Question
from ia0_daemon.engine.control import LoadedModel
from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.engine.patience import Patience
from ia0_daemon.errors import EngineError
from ia0_daemon.settings.schema import Model

TAG = "smollm2:135m"
MODEL = Model(name="smollm2-135m", tag=TAG, aliases=("qwen2-7b", "llama3.1-8b"), num_ctx=512)
DONE = ChatLine(done=True, done_reason="stop", prompt_eval_count=7, eval_count=3, eval_duration=30_000_000)


@dataclass
class FakeControl:
    """What `EngineControl` says, without an engine."""

    models: list[str] = field(default_factory=lambda: [TAG])
    present: list[str] = field(default_factory=lambda: [TAG])
    reachable: bool = True

    def version(self) -> str:
        if not self.reachable:
            raise EngineError("nobody there")
        return "0.33.0"

    def tags(self) -> dict[str, str]:
        return {name: f"digest of {name}" for name in self.present}

    def loaded(self) -> list[LoadedModel]:
        return [LoadedModel(name, size=3, size_vram=2, context_length=512) for name in self.models]

    def close(self) -> None:
        """There is no connection."""


@dataclass
class FakeAnswer:
    """An answer: texts, and an error among them where one is to be raised."""

    script: list[str | ChatLine | Exception]
    end: ChatLine | None = DONE
    last: ChatLine | None = None
    closed: int = 0
    lines: int = 0

    def pieces(self) -> Iterator[list[ChatLine]]:
        for step in self.script:
            if isinstance(step, Exception):
                raise step
            self.lines += 1
            yield [step if isinstance(step, ChatLine) else ChatLine(message=Delta(step))]
        self.last = self.end

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeClient:
    """An `EngineClient`: plays `script`, one entry a question; then gives `answer_`, or raises `error`."""

    answer_: FakeAnswer = field(default_factory=lambda: FakeAnswer(["Hello", " world"]))
    error: Exception | None = None
    script: list[FakeAnswer | Exception] = field(default_factory=list)
    habits: list[bool | Exception] = field(default_factory=list)
    """What is found out, one entry a trial, of how the model answers a prefill; then it never repeats it."""
    bodies: list[bytes | Exception] = field(default_factory=list)
    """What is answered in one piece, one entry an asking."""
    asked: list[Question] = field(default_factory=list)
    closed: bool = False

    def answer(self, question: Question, patience: Patience) -> FakeAnswer:
        self.asked.append(question)
        next_ = self.script.pop(0) if self.script else self.error or self.answer_
        if isinstance(next_, Exception):
            raise next_
        return next_

    def ask_whole(self, question: Question, patience: Patience) -> bytes:
        self.asked.append(question)
        next_ = self.bodies.pop(0)
        if isinstance(next_, Exception):
            raise next_
        return next_

    def repeats_prefill(self, model: Model, patience: Patience) -> bool:
        habit = self.habits.pop(0) if self.habits else False
        if isinstance(habit, Exception):
            raise habit
        return habit

    def close(self) -> None:
        self.closed = True


def bounded(seconds: float, gone: Callable[[], bool] = bool) -> Patience:
    """A patience whose bound of the first token runs."""
    patience = Patience(gone)
    patience.bound("first_token", seconds, "engine.first_token_timeout_s")
    return patience


@dataclass
class FakeClock:
    """A time in seconds that stands until the test moves it."""

    now: float = 1_000_020.0

    def __call__(self) -> float:
        return self.now
