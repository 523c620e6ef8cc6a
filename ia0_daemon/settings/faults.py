"""What is wrong with a configuration, in words that name the key, the value, the rule and the place.

Owns the shape of a fault. Never finds one.

    Fault(key, value, rule, where) -> "engine.timeout_s: 'abc' is not a duration ... (IA0_ENGINE__TIMEOUT_S)"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

# Enough to recognise the value by; a pasted file does not fill the terminal.
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    ``key`` is empty where the file as a whole is at fault. ``value`` is None where there is none, or where
    it might be a secret. ``rule`` completes the sentence. ``where`` is a file or an environment variable.
    """

    key: str
    value: object
    rule: str
    where: str

    def __str__(self) -> str:
        """One line for a person."""
        if not self.key:
            return f"{self.where}: {self.rule}"
        value = "" if self.value is None else f"{shown(self.value)} "
        return f"{self.key}: {value}{self.rule} ({self.where})"


class ConfigError(Exception):
    """A configuration that the daemon refuses, with every fault that was found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """The faults, one line each."""
        return [str(fault) for fault in self.faults]


def shown(value: object) -> str:
    """A value as the file writes it, cut where it is long, on one line."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def unknown(name: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """The rule for a name that does not exist, with the nearest one that does."""
    near = get_close_matches(name, known, n=1, cutoff=cutoff)
    return f"is not a setting; did you mean {near[0]}?" if near else "is not a setting"
