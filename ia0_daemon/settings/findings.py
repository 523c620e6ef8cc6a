"""What a rule between settings finds.

Owns the shape alone. Never holds a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ia0_daemon.settings.schema import Settings


@dataclass(frozen=True)
class Finding:
    """A rule that does not hold: the setting to change, and the ``others`` that it was held against."""

    key: str
    value: object
    rule: str
    others: tuple[str, ...] = ()


Rule = Callable[[Settings], Iterator[Finding]]
