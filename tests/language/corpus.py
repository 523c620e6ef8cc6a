"""The labelled prompts of `corpus.toml`. Owns how they are read; never judges a detector."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).with_name("corpus.toml")
# Those of `[routing] languages` as it comes; prompts in the corpus' other languages must give none.
CONFIGURED = ("pt", "en", "es", "fr", "de", "it", "nl")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt, and what a person would say of it."""

    written_in: str
    kind: str
    text: str

    @property
    def expected(self) -> str | None:
        """What a detector of the configured languages should say."""
        return self.written_in if self.written_in in CONFIGURED else None


def prompts() -> list[Prompt]:
    """Read them all, in the order of the file."""
    tables = tomllib.loads(PATH.read_text(encoding="utf-8"))
    return [
        Prompt(language, kind, text)
        for language, kinds in tables.items()
        for kind, texts in kinds.items()
        for text in texts
    ]
