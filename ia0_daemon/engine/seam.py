"""How an answer goes on from what was already written: what is asked, and a clean seam.

Pure. Nothing may be repeated or missing at the seam; equal text is not
promised, since the sampler may choose otherwise.

    continuation(question, written, tokens) -> a question by prefill;   Seam(written, ...).join(text) -> text
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ia0_daemon.engine.messages import Message

if TYPE_CHECKING:
    from ia0_daemon.engine.client import Question


def continuation(question: Question, written: str, tokens: int) -> Question:
    """Ask for the rest: a last message of the assistant is continued, with what is left of the tokens.

    White space at the end of `written` is left out: models are trained on
    tokens that begin with their blank, so a prompt that ends with one is
    continued badly. `Seam` takes the blank out of the continuation again.
    """
    left = question.options["num_predict"] - tokens
    prefix = [Message("assistant", written.rstrip())] if written.strip() else []
    return replace(
        question,
        messages=[*question.messages, *prefix],
        options=question.options | {"num_predict": left},
    )


class Seam:
    """Joins a continuation to what was written."""

    def __init__(self, written: str, stops: list[str], *, repeats: bool) -> None:
        kept = written.rstrip() if written.strip() else ""
        # What the continuation may begin with and must not be handed out twice.
        self._expected = kept if repeats else ""
        self._blank = written[len(kept) :]
        longest = max(map(len, stops), default=0)
        self._tail = written[-(longest - 1) :] if longest > 1 else ""
        self._stops = stops
        self._new = ""
        self._behind = 0
        self._clean = not (self._expected or self._blank)
        self.stopped = False
        """A stop text was completed across the seam: the answer ends here."""

    def join(self, text: str) -> str:
        """Give what of `text` is to be handed out."""
        text = text if self._clean else self._without_repetition(text)
        return self._until_stop(text) if self._tail and text else text

    def _without_repetition(self, text: str) -> str:
        """Hold the text back until it is clear where the new begins."""
        self._new += text
        if self._expected:
            if self._expected.startswith(self._new) and len(self._new) < len(self._expected):
                return ""
            self._new = self._new.removeprefix(self._expected)
            self._expected = ""
        while self._blank and self._new:
            if self._blank[0] != self._new[0]:
                break
            self._blank, self._new = self._blank[1:], self._new[1:]
        if self._blank and not self._new:
            return ""
        self._clean = True
        return self._new

    def _until_stop(self, text: str) -> str:
        """The engine matches stops in what it writes now; one that began before the seam is matched here."""
        window = self._tail + text
        for stop in self._stops:
            at = window.find(stop)
            if 0 <= at < len(self._tail):
                self.stopped = True
                return ""
        # A stop that began before the seam ends within its own length behind it.
        self._behind += len(text)
        self._tail = window if self._behind < max(map(len, self._stops)) else ""
        return text
