"""How right a detector is on the labelled prompts. Pure: a function in, counts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.language.corpus import Prompt

Detect = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A prompt and what a detector said of it."""

    prompt: Prompt
    said: str | None

    @property
    def right(self) -> bool:
        """Whether it is what a person would say."""
        return self.said == self.prompt.expected


@dataclass(frozen=True, slots=True)
class Score:
    """The verdicts on a corpus, counted. Rates are 0 to 1."""

    verdicts: tuple[Verdict, ...]

    @classmethod
    def of(cls, detect: Detect, prompts: Iterable[Prompt]) -> Score:
        """Ask a detector for every prompt."""
        return cls(tuple(Verdict(prompt, detect(prompt.text)) for prompt in prompts))

    def right(self, *, kind: str | None = None, language: str | None = None) -> float:
        """Give the rate of right verdicts on prompts in the configured languages."""
        asked = [
            verdict.right
            for verdict in self.verdicts
            if verdict.prompt.expected is not None
            and kind in (None, verdict.prompt.kind)
            and language in (None, verdict.prompt.written_in)
        ]
        return sum(asked) / len(asked)

    def wrong(self) -> int:
        """Count prompts in a configured language that were taken for another one (not for none)."""
        return sum(v.said not in (None, v.prompt.expected) for v in self.verdicts if v.prompt.expected)

    def taken(self, written_in: str, said: str) -> int:
        """Count prompts in one language that were taken for another one."""
        return sum(v.prompt.written_in == written_in and v.said == said for v in self.verdicts)

    def foreign_left_alone(self) -> tuple[int, int]:
        """Count prompts in languages that are not configured: those that gave none, and all."""
        foreign = [v.right for v in self.verdicts if v.prompt.expected is None]
        return sum(foreign), len(foreign)

    def taken_for_portuguese(self) -> int:
        """Count prompts in any other language that were taken for Portuguese."""
        return sum(v.said == "pt" and v.prompt.written_in != "pt" for v in self.verdicts)
