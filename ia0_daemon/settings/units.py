"""Values that are written with a unit or a word: durations, sizes, amounts, keep-alive, log level.

Owns their spellings. Never knows which setting a value belongs to.

    parse(what the file or the environment holds) -> the value, or ValueError

Each type carries ``rule``, the words that complete "... is not".
"""

from __future__ import annotations

import math
import re
from typing import ClassVar, Self

# Go's time.ParseDuration, whose spelling Ollama's users know.
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_DURATION = re.compile(rf"[+-]?(?:{_PART.pattern})+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")

# Go's time.Duration counts nanoseconds in 64 bits: about 292 years.
_LONGEST_S = (2**63 - 1) / 1e9

_UNIT_BYTES = {
    "": 1, "b": 1,
    "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9, "t": 10**12, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)")

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%", re.ASCII)
_WHOLE_PERCENT = 100


def go_duration(text: str) -> float:
    """Seconds of a Go duration such as ``1m30s``, ``-1m`` or ``0``; ValueError if it is none."""
    if text in {"0", "+0", "-0"}:
        return 0.0
    if not text.isascii() and "µ" not in text and "μ" not in text:
        raise ValueError(text)
    plain = text.replace("μ", "µ")
    if not _DURATION.fullmatch(plain):
        raise ValueError(text)
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(plain))
    if seconds > _LONGEST_S:
        raise ValueError(text)
    return -seconds if plain.startswith("-") else seconds


def _plain_number(value: object) -> float | None:
    """A number as TOML or a text gives it; a bool is none although Python counts it as an int."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str) and value.isascii() and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def readable_size(size: float) -> str:
    """A size for a person, with one decimal: ``5.9 GiB``."""
    for unit, bytes_ in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(size) >= bytes_:
            return f"{size / bytes_:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size:.0f} B"


class Seconds(float):
    """A duration in seconds; written as a number, or with a unit: ``"30s"``, ``"500ms"``, ``"1m30s"``."""

    rule: ClassVar[str] = "a duration such as 30s or 500ms"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Number of seconds, or text with units; ValueError otherwise."""
        number = _plain_number(value)
        if number is not None:
            return cls(number)
        if isinstance(value, str):
            return cls(go_duration(value.strip()))
        raise ValueError(value)

    def text(self) -> str:
        """How a person writes it: ``30s``, ``500ms``, ``5m``."""
        if self and self < 1:
            return f"{float(self) * 1000:.9g}ms"
        for unit in ("h", "m"):
            if self and self % _UNIT_SECONDS[unit] == 0:
                return f"{int(self / _UNIT_SECONDS[unit])}{unit}"
        return f"{float(self):.9g}s"


class Bytes(int):
    """A size in bytes; written as a number, or with a unit: ``"64KiB"``, ``"4MiB"``, ``"1GB"``."""

    rule: ClassVar[str] = "a size such as 64KiB, 4MiB or 1GB"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Number of bytes, or text with a unit; ValueError otherwise."""
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(value)
        found = _SIZE.fullmatch(value.strip().lower()) if isinstance(value, str) and value.isascii() else None
        if found is None or found[2] not in _UNIT_BYTES:
            raise ValueError(value)
        size = float(found[1]) * _UNIT_BYTES[found[2]]
        if not size.is_integer():
            raise ValueError(value)
        return cls(int(size))

    def text(self) -> str:
        """How a person writes it: ``4MiB``, ``1000``."""
        for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if self and self % size == 0:
                return f"{self // size}{unit}"
        return str(int(self))


class Amount(str):
    """A size in bytes, or a percentage of the memory that there is, or ``off``: ``"12GiB"``, ``"80%"``."""

    __slots__ = ()
    rule: ClassVar[str] = "a size such as 12GiB, a percentage such as 80%, or off"

    @classmethod
    def parse(cls, value: object) -> Self:
        """A percentage above 0 and up to 100, a size above 0, or ``off``; ValueError otherwise."""
        text = value.strip().lower() if isinstance(value, str) else ""
        if text == "off":
            return cls(text)
        found = _PERCENT.fullmatch(text)
        if found is not None and 0 < float(found[1]) <= _WHOLE_PERCENT:
            return cls(f"{float(found[1]):.9g}%")
        size = Bytes.parse(value)
        if size < 1:
            raise ValueError(value)
        return cls(size.text())

    @property
    def percent(self) -> float | None:
        """The percentage, where it is one."""
        return float(self[:-1]) if self.endswith("%") else None

    @property
    def size(self) -> int | None:
        """The bytes, where it is a size."""
        return None if self == "off" or self.endswith("%") else Bytes.parse(self)

    def of(self, capacity_bytes: int) -> int | None:
        """Bytes, with percentages taken of ``capacity_bytes``; None where it is off."""
        percent = self.percent
        return self.size if percent is None else int(capacity_bytes * percent / _WHOLE_PERCENT)


class KeepAlive(str):
    """How long the engine keeps a model: seconds or a Go duration; negative means for ever."""

    __slots__ = ()
    rule: ClassVar[str] = "a keep-alive such as 30m, 3600 (seconds), 0 (unload at once) or -1 (for ever)"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Whole seconds or a Go duration, as OLLAMA_KEEP_ALIVE takes them; ValueError otherwise."""
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LONGEST_S:
            return cls(value)
        text = value.strip() if isinstance(value, str) else ""
        if re.fullmatch(r"[+-]?[0-9]{1,10}", text, re.ASCII):
            return cls(int(text))
        go_duration(text)
        return cls(text)

    def wire(self) -> int | str:
        """What a request's ``keep_alive`` must hold: Ollama refuses a bare number that comes as a text."""
        return int(self) if re.fullmatch(r"-?[0-9]+", self) else str(self)


class Level(str):
    """How much the log says; written in any case."""

    __slots__ = ()
    known: ClassVar[tuple[str, ...]] = ("DEBUG", "INFO", "WARNING", "ERROR")
    rule: ClassVar[str] = "one of DEBUG, INFO, WARNING, ERROR"

    @classmethod
    def parse(cls, value: object) -> Self:
        """One of the known words in any case; ValueError otherwise."""
        if not isinstance(value, str) or value.strip().upper() not in cls.known:
            raise ValueError(value)
        return cls(value.strip().upper())
