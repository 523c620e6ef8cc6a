"""The examples of a page: each call, with the answer that the page shows behind it.

Owns reading them. Never runs one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# Before a call that would change what the others need; the page says why.
NOT_RUN = "<!-- not run: "
_KEY = re.compile(r'"(\w+)"\s*:')
_HEADER = re.compile(r"^([A-Z][\w-]+): ", re.M)


@dataclass(frozen=True)
class Example:
    """A block of the page that calls curl."""

    line: int
    command: str
    shown: str = ""
    """The block behind it, where that is an answer."""

    @property
    def fields(self) -> set[str]:
        """The names of the fields that the page shows, at any depth."""
        return set(_KEY.findall(self.shown))

    @property
    def headers(self) -> set[str]:
        """The headers that the page shows, in lower case."""
        return {name.lower() for name in _HEADER.findall(self.shown)}

    @property
    def code(self) -> str:
        """The code of the error that the page shows; empty: it shows none."""
        found = re.search(r'"code"\s*:\s*"(\w+)"', self.shown)
        return found[1] if found and '"error"' in self.shown else ""

    @property
    def is_stream(self) -> bool:
        """Whether a stream is asked for."""
        return '"stream": true' in self.command


def examples(page: str) -> list[Example]:
    """Give the calls of a page, in their order; those that are marked are left out."""
    blocks = list(_BLOCK.finditer(page))
    found = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        before = page[: block.start()].rstrip().rpartition("\n")[2]
        if not block[2].startswith("curl ") or before.startswith(NOT_RUN):
            continue
        shown = following[2] if following is not None and following[1] == "json" else ""
        found.append(Example(page[: block.start()].count("\n") + 2, block[2], shown))
    return found
