"""Asking the engine for an answer: load the model where it is not loaded, then chat, always streamed.
Vectors alone come in one piece.

Owns the bodies that are sent and the three bounds. Never decides which model
answers and never shapes what the caller gets.

    EngineClient.answer(question, patience) -> load? -> Answer: pieces of text ... -> figures
    EngineClient.ask_whole(question, patience) -> load? -> the body
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from ia0_daemon.engine import failures
from ia0_daemon.engine.answer import Answer
from ia0_daemon.engine.messages import CHAT, EMBED, Message
from ia0_daemon.engine.patience import Patience
from ia0_daemon.engine.prefill import PrefillHabits
from ia0_daemon.engine.progress import Progress
from ia0_daemon.engine.wire import EngineCut, Exchange, Wire
from ia0_daemon.errors import EngineInterrupted, EngineTimeout

if TYPE_CHECKING:
    from ia0_daemon.engine.watch import EngineWatch
    from ia0_daemon.settings.schema import Engine, Model

# What has a model loaded for vectors, and nothing else done.
NO_TEXTS: dict[str, Any] = {"input": [], "stream": False}
# The least that shows that a model still writes.
PROBE = [Message("user", "Hi")]
PROBE_OPTIONS = {"num_predict": 1, "temperature": 0}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the engine."""

    model: Model
    messages: list[Message]
    options: dict[str, Any] = field(default_factory=dict)
    """Sampling options under Ollama's names; the runner's options come from the model's settings."""
    may_resume: bool = True
    """Whether an answer that was cut after its first token may go on by prefill."""
    request_id: str = ""
    """The caller's request, for the engine's log; empty where the daemon asks for itself."""
    path: str = CHAT
    fields: dict[str, Any] = field(default_factory=dict)
    """What the engine's body has beside model, messages and options: tools, format, a prompt ..."""
    truncate: bool = False
    """Whether the engine may leave out the oldest messages of a prompt that is too long."""

    def chars(self) -> int:
        """Count the prompt's characters, which the bound of the first token grows with."""
        said = sum(len(message.content) for message in self.messages)
        # A text's letters and a list's texts add up alike.
        return said + len(self.fields.get("prompt", "")) + sum(map(len, self.fields.get("input", ())))


class EngineClient:
    """One engine, asked through kept connections."""

    def __init__(self, wire: Wire, watch: EngineWatch, settings: Engine) -> None:
        self._wire = wire
        self._watch = watch
        self._settings = settings
        self._encoder = msgspec.json.Encoder()
        self._for_vectors: set[str] = set()
        """Tags of models that were loaded for vectors: the engine loads one anew to let it write."""
        self._habits = PrefillHabits(self._try_prefill)
        self.progress = Progress()
        """Who is writing answers now, and when each was last heard."""

    def answer(self, question: Question, patience: Patience) -> Answer:
        """Ask, and return when the engine's first token (or its error) is there.

        Raises the errors of `failures`, `EngineTimeout` for each bound, and
        `CallerGone`.
        """
        if self._wire.lost():
            self._watch.forget_loaded()
        self._have_loaded(question, patience)
        self._bound_first_token(question, patience)
        tag = question.model.tag
        self.progress.ask(tag)
        try:
            exchange = self._post(question, patience)
        except BaseException as error:
            self.progress.end(tag, wrote=False)
            if isinstance(error, EngineTimeout):
                self.progress.doubt(tag)
            raise
        self._note_kind(tag, for_vectors=False)
        return self._answer(exchange, question.model, patience, self._settings.timeout_s)

    def ask_whole(self, question: Question, patience: Patience) -> bytes:
        """Ask what the engine answers in one piece, as it does for vectors; gives the body.

        `question.fields` are the body's beside model and options. Raises as `answer`.
        """
        if self._wire.lost():
            self._watch.forget_loaded()
        self._have_loaded(question, patience)
        self._bound_first_token(question, patience)
        body = self._whole(question, patience)
        self._note_kind(question.model.tag, for_vectors=True)
        return body

    def _whole(self, question: Question, patience: Patience) -> bytes:
        tag = question.model.tag
        self.progress.ask(tag)
        try:
            exchange = self._post(question, patience)
            patience.bound("between_tokens", self._settings.timeout_s, "engine.timeout_s (TIMEOUT)")
            body = _body_of(exchange)
            self.progress.finished(tag)
        except EngineTimeout:
            self.progress.doubt(tag)
            raise
        except EngineCut as error:
            self._note_gone()
            raise EngineInterrupted(str(error)) from error
        finally:
            self.progress.end(tag, wrote=False)
        return body

    def _have_loaded(self, question: Question, patience: Patience) -> None:
        """Have a model that is not loaded loaded for what is asked, under the bound of loading."""
        model = question.model
        if self._watch.is_loaded(model.tag):
            return
        if question.path == EMBED:
            patience.bound("load", self._settings.load_timeout_s, "engine.load_timeout_s")
            with self._watch.loading(model.tag):
                self._whole(Question(model, [], path=EMBED, fields=NO_TEXTS), patience)
            self._note_kind(model.tag, for_vectors=True)
            self._watch.note_loaded(model.tag)
        else:
            self.load(model, patience)

    def _note_kind(self, tag: str, *, for_vectors: bool) -> None:
        """Remember what the engine has the model loaded for: it has just done that."""
        if for_vectors:
            self._for_vectors.add(tag)
        else:
            self._for_vectors.discard(tag)

    def write_one_token(self, model: Model, keep_alive_s: int, patience: Patience, timeout_s: float) -> None:
        """Have a model that is loaded write one token, with the options that its answers are asked with.

        `keep_alive_s`: how long it is to stay loaded, which each asking decides anew. Raises as `answer`.
        """
        patience.bound("first_token", timeout_s, "restart.probe_timeout_s")
        self._read_out(Question(model, PROBE, PROBE_OPTIONS), patience, timeout_s, keep_alive_s)

    def load(self, model: Model, patience: Patience) -> None:
        """Have the model loaded with the very options that its answers are asked with."""
        patience.bound("load", self._settings.load_timeout_s, "engine.load_timeout_s")
        with self._watch.loading(model.tag):
            self._read_out(Question(model, []), patience, self._settings.load_timeout_s)
        self._note_kind(model.tag, for_vectors=False)
        self._watch.note_loaded(model.tag)

    def _read_out(
        self, question: Question, patience: Patience, silence_s: float, keep_alive_s: int | None = None
    ) -> None:
        """Ask a question of the daemon's own, whose answer nobody needs, and read it to its end."""
        tag = question.model.tag
        self.progress.ask(tag)
        try:
            exchange = self._post(question, patience, keep_alive_s)
        except BaseException:
            self.progress.end(tag, wrote=False)
            raise
        answer = self._answer(exchange, question.model, patience, silence_s)
        try:
            for _ in answer.texts():
                pass
        finally:
            answer.close()

    def repeats_prefill(self, model: Model, patience: Patience) -> bool:
        """Say whether the model's answers to a prefill begin with the prefill; it is tried once."""
        return self._habits.repeats(model, patience)

    def _try_prefill(self, model: Model, messages: list[Message], tokens: int, patience: Patience) -> str:
        question = Question(model, messages, {"temperature": 0, "num_predict": tokens})
        answer = self.answer(question, patience)
        try:
            return "".join(answer.texts())
        finally:
            answer.close()

    def close(self) -> None:
        """Keep no connection any more; answers under way go on."""
        self._wire.close()

    def _answer(self, exchange: Exchange, model: Model, patience: Patience, silence_s: float) -> Answer:
        return Answer(exchange, model.tag, patience, silence_s, self._watch.forget_loaded, self.progress)

    def _bound_first_token(self, question: Question, patience: Patience) -> None:
        """Bound the wait for the first token, as loading is where the engine loads the model anew for it.

        That load is not asked for beforehand: where texts and vectors of one model
        are asked for by turns, it would be gone again before its question came.
        """
        if (question.path == EMBED) != (question.model.tag in self._for_vectors):
            patience.bound("load", self._settings.load_timeout_s, "engine.load_timeout_s")
            return
        extra_s = self._settings.first_token_per_1k_chars_s * question.chars() / 1000
        setting = "engine.first_token_timeout_s"
        patience.bound("first_token", self._settings.first_token_timeout_s + extra_s, setting)

    def _post(self, question: Question, patience: Patience, keep_alive: int | None = None) -> Exchange:
        body = self._encoder.encode(self._body(question, keep_alive))
        try:
            exchange = self._wire.post(question.path, body, patience, question.request_id)
        except EngineCut as error:
            self._note_gone()
            raise EngineInterrupted(str(error)) from error
        except EngineInterrupted:
            self._note_gone()
            raise
        if not self._watch.state.reachable:
            self._watch.look_soon()  # it is back
        if exchange.status >= 400:
            raise self._refusal(exchange, question.model.tag)
        return exchange

    def _body(self, question: Question, keep_alive: int | None) -> dict[str, Any]:
        """Give what is sent. `truncate` and `shift` are said every time: their defaults drop text in silence,
        and a change of `shift` loads the model again.
        """
        body: dict[str, Any] = {
            "model": question.model.tag,
            "options": question.options | runner_options(question.model),
            "keep_alive": self._settings.keep_alive.wire() if keep_alive is None else keep_alive,
            "stream": True,
            "truncate": question.truncate,
            "shift": False,
            **question.fields,
        }
        if question.path == CHAT:
            body["messages"] = question.messages
        return body

    def _note_gone(self) -> None:
        self._watch.forget_loaded()
        self._watch.look_soon()

    def _refusal(self, exchange: Exchange, tag: str) -> Exception:
        try:
            body = exchange.body()
        except EngineCut as cut:
            return EngineInterrupted(str(cut))
        finally:
            exchange.close()
        error = failures.of_response(exchange.status, body, tag)
        if exchange.status == 500 and failures.is_of_the_model(error):
            self._watch.forget_loaded()  # most often its own process has died
        return error


def _body_of(exchange: Exchange) -> bytes:
    """Give the whole body, and the connection back; it is cut where the body does not come to its end."""
    try:
        return exchange.body()
    finally:
        exchange.close()


def runner_options(model: Model) -> dict[str, int]:
    """Give the options that a model is loaded with: any other value would load it again."""
    pinned = {name: getattr(model, name) for name in ("num_ctx", "num_batch", "num_thread")}
    placed = {name: getattr(model, name) for name in ("num_gpu", "main_gpu")}
    return {
        **{name: value for name, value in pinned.items() if value > 0},
        **{name: value for name, value in placed.items() if value >= 0},
    }
