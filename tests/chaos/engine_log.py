"""What the engine's own log says of each request: how often an answer was begun, and how it ended.

    Ledger.read(log) -> of(request id) -> Askings

An answer that has no end was cut with the engine's process: SIGKILL leaves no time to say so.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from urllib.parse import unquote

# Askings of the daemon's own: loading asks for no answer, the trial of a prefill does.
OWN = "-"
_LINE = re.compile(r"msg=answer (begun|goes on|finished|cut|failed|without an end) request=(\S+)(.*)")


@dataclass
class Askings:
    """The answers that the engine began for one request."""

    begun: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    """How those that it saw the end of ended."""
    tokens: int = 0
    """Of the last one that it finished."""
    blank: str = ""
    """The white space that its text begins with."""
    text: str = ""
    """The digest of its text."""
    prefills: list[str] = field(default_factory=list)
    """The digests of what it was given to go on from."""

    @property
    def finished(self) -> int:
        """How many it finished."""
        return self.ended["finished"]

    @property
    def cut(self) -> int:
        """How many did not come to their end, for whatever reason."""
        return self.begun - self.finished


class Ledger:
    """The engine's count."""

    def __init__(self, log: str) -> None:
        self.requests: defaultdict[str, Askings] = defaultdict(Askings)
        for line in log.splitlines():
            match = _LINE.search(line)
            if match:
                self._note(*match.groups())

    def _note(self, what: str, request: str, rest: str) -> None:
        askings = self.requests[request]
        values = dict(word.split("=", 1) for word in rest.split() if "=" in word)
        if what == "begun":
            askings.begun += 1
        elif what == "goes on":
            askings.prefills.append(values["from"])
        else:
            askings.ended[what] += 1
        if what == "finished":
            askings.tokens, askings.text = int(values["tokens"]), values["text"]
            askings.blank = unquote(values["blank"])
