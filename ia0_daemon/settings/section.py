"""What the schema's sections are made of: their base, and the marks of what a type cannot say.

Owns the shape of a section alone. Never declares a setting (``schema.py`` and its parts do).

    Annotated[type, Meta | Between | Spelled | Secret] -> converted by ``leaves.py``, told by ``reference.py``
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=10_000_000)]


@dataclass(frozen=True)
class Between:
    """The range of a duration (seconds) or a size (bytes), ends included; for what Meta cannot bound."""

    low: float
    high: float


@dataclass(frozen=True)
class Secret:
    """Marks a setting whose value no message, log or answer may show."""


@dataclass(frozen=True)
class Spelled:
    """What a text looks like, for the documents; a rule of ``rules.py`` holds it."""

    text: str


PublicName = Annotated[str, Spelled("a name of letters, digits and . _ : / - (at most 128)")]


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of ``ia0.toml``; a key that is not declared is refused."""
