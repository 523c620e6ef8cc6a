"""An answer that outlives a restart of the engine.

    gate -> ask -> pieces ... cut! -> gate again -> ask again, or go on by prefill -> pieces ...

A cut before anything was handed out is asked again. A stream of plain text goes
on from what was written. Where that cannot be right, the cut is an error.
Owns these decisions; how often it is asked is `tries.py`'s. Never shapes what the caller gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.engine.messages import ChatLine, Delta
from ia0_daemon.engine.seam import Seam, continuation
from ia0_daemon.errors import ContextLengthExceeded, EngineError, EngineInterrupted
from ia0_daemon.gateway.tries import Tries
from ia0_daemon.gateway.wanted import Result, result_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ia0_daemon.engine.answer import Answer
    from ia0_daemon.engine.client import EngineClient, Question
    from ia0_daemon.gate import Gate
    from ia0_daemon.gateway.call import Call
    from ia0_daemon.gateway.tries import Endurance


class LastingAnswer:
    """One answer, whatever the engine does meanwhile. Close it: it frees engine and gate."""

    def __init__(
        self, client: EngineClient, gate: Gate, question: Question, call: Call, endurance: Endurance
    ) -> None:
        self._client, self._question, self._call = client, question, call
        self._tries = Tries(gate, call, endurance)
        self._answer: Answer | None = None
        self._seam: Seam | None = None
        self._written: list[ChatLine] = []
        self._tokens = 0
        self._handed_out = False
        self.last: ChatLine | None = None
        """The engine's last line, with the figures of its last part."""

    def begin(self) -> None:
        """Pass the gate and ask. Returns when the engine's first line is there."""
        try:
            self._ask(self._question)
        except EngineInterrupted as cut:
            self._resume(cut)

    def text(self) -> str:
        """Give all of the text that has come."""
        return "".join([line.text for line in self._written])

    def result(self) -> Result:
        """Give the whole answer. Raises `EngineError` where it never said that it is done."""
        if self.last is None:
            raise EngineError("the engine ended the answer without saying that it is done")
        return result_of(self._written, self.text(), self.last, self.figures())

    def pieces(self) -> Iterator[list[ChatLine]]:
        """Give the lines as they come, those of one read together."""
        while self._answer is not None:
            try:
                yield from self._part(self._answer)
            except EngineInterrupted as cut:
                self._resume(cut)
            else:
                return

    def close(self) -> None:
        """Free the engine and the gate."""
        self._leave_engine()
        self._tries.settle("failed")

    def figures(self) -> tuple[int, int]:
        """Give the tokens of prompt and answer; of parts that were cut, the lines are counted."""
        if self.last is None:
            return 0, self._tokens
        prompt = self.last.prompt_eval_count
        if self._call.resumed:
            return max(0, prompt - self._tokens), self._tokens + self.last.eval_count
        return prompt, self.last.eval_count

    def _part(self, answer: Answer) -> Iterator[list[ChatLine]]:
        """Give what one asking brings, up to its end or to a cut."""
        for lines in answer.pieces():
            self._settle_resumed()
            out = _joined(self._seam, lines) if self._seam else lines
            if out:
                self._written += out
                self._handed_out = True
                if not self._call.stream:  # a stream counts what it hands out itself
                    self._call.pieces = len(self._written)
                yield out
            if self._seam and self._seam.stopped:
                break
        self._settle_resumed()
        self.last = answer.last
        if self._seam and self._seam.stopped:
            self.last = ChatLine(done=True, done_reason="stop", eval_count=answer.lines)

    def _resume(self, cut: EngineInterrupted) -> None:
        """Ask again, or go on; raises `cut` where neither can be right."""
        self._take_cut(cut)
        if not self._may_go_on():
            raise cut
        question = self._next_question()
        if question.options["num_predict"] <= 0:
            self._end_at_length()  # it was cut behind its last token
        else:
            self._ask_until_answered(question, cut)

    def _ask_until_answered(self, question: Question, cut: EngineInterrupted) -> None:
        """Ask an engine that will be back, in time and as often as is allowed; raises why it was not."""
        try:
            self._tries.ask_again(lambda: self._ask(question), cut)
        except ContextLengthExceeded as full:
            if not self._was_seen():
                raise
            # What was written fills the context: uncut, it had ended here, too.
            self._end_at_length(full.prompt_tokens)

    def _ask(self, question: Question) -> None:
        """Pass the gate and ask; before a prefill it must be known whether the model repeats it."""
        self._tries.enter()
        try:
            if self._was_seen():
                repeats = self._client.repeats_prefill(question.model, self._call.patience)
                self._seam = Seam(self.text(), question.options.get("stop", []), repeats=repeats)
            self._call.note_asking()
            self._answer = self._client.answer(question, self._call.patience)
        except EngineInterrupted:
            self._tries.leave()
            raise

    def _end_at_length(self, prompt_tokens: int = 0) -> None:
        """End the answer with what was written.

        `prompt_tokens`: the prompt's and what was written, where the engine has said it.
        """
        self.last = ChatLine(done=True, done_reason="length", prompt_eval_count=prompt_tokens)
        self._tries.settle("went_on")

    def _take_cut(self, cut: EngineInterrupted) -> None:
        """Count what was written, leave the gate, and remember that an outcome is owed."""
        if self._answer is not None:
            self._tokens += self._answer.lines
        self._leave_engine()
        self._tries.note_cut(cut)

    def _may_go_on(self) -> bool:
        return self._tries.may_go_on() and (self._question.may_resume or not self._was_seen())

    def _was_seen(self) -> bool:
        """Say whether the caller has seen a part of the answer; unstreamed, it is seen when it is whole."""
        return self._handed_out and self._call.stream

    def _next_question(self) -> Question:
        if not self._was_seen():
            self._call.asked_again += 1
            self._written, self._tokens, self._seam = [], 0, None
            return self._question
        self._call.resumed += 1
        self._call.resumed_at.append(len(self.text()))
        return continuation(self._question, self.text(), self._tokens)

    def _leave_engine(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()
        self._tries.leave()

    def _settle_resumed(self) -> None:
        self._tries.settle("went_on" if self._seam else "asked_again")


def _joined(seam: Seam, lines: list[ChatLine]) -> list[ChatLine]:
    """Give what of a continuation's lines is to be handed out; only plain text goes on."""
    text = seam.join("".join(line.text for line in lines))
    return [ChatLine(message=Delta(text))] if text else []
