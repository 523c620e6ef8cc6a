"""The list of sentences (sentences.toml), and the part of docs/conformance.md that is made from it.

Owns reading the list and rendering what is left out. Never runs a test.
`python -m tests.conformance.sentences` prints that part of the document.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Sentence:
    """One sentence about Ollama's behaviour."""

    id: str
    section: str
    says: str
    left_out: str = ""


def read_sentences() -> list[Sentence]:
    """Every sentence, in the order of the ground document."""
    parsed = tomllib.loads((HERE / "sentences.toml").read_text(encoding="utf-8"))
    return [Sentence(**entry) for entry in parsed["sentence"]]


def render_left_out(sentences: list[Sentence]) -> str:
    """The list for the document: what no test holds, and why, under each section."""
    left_out = [sentence for sentence in sentences if sentence.left_out]
    lines = []
    for section, members in groupby(left_out, key=lambda sentence: sentence.section):
        lines += [f"**{section}**", ""]
        lines += [f"- `{one.id}`: {one.says} *{one.left_out}*" for one in members]
        lines.append("")
    return "\n".join(lines).strip()


if __name__ == "__main__":
    sys.stdout.write(render_left_out(read_sentences()) + "\n")
