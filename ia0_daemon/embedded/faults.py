"""Faults that tests switch on, read once at the start from ``IA0_ENGINE_FAULT_*``.

Owns the names, the syntax and the question "does this fault hit this request?".
Never carries a fault out: the code at the seam asks and acts.

    value[;when=TEXT][;first=N][;every=N]

``when`` limits a fault to requests whose prompt contains TEXT, ``first`` to the
first N requests that it would hit, ``every`` to each N-th of them.
``docs/embedded-engine.md`` describes each one; a test holds that.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PREFIX = "IA0_ENGINE_FAULT_"


class Fault(StrEnum):
    """Every fault; the variable is ``IA0_ENGINE_FAULT_<NAME>``."""

    LEAK_MB_PER_REQUEST = "LEAK_MB_PER_REQUEST"
    MAP_MB_PER_REQUEST = "MAP_MB_PER_REQUEST"
    WEDGE = "WEDGE"
    HALF_WEDGE = "HALF_WEDGE"
    WEDGE_AFTER_TOKENS = "WEDGE_AFTER_TOKENS"
    WEDGE_SCHEDULER = "WEDGE_SCHEDULER"
    NO_DONE_AFTER_TOKENS = "NO_DONE_AFTER_TOKENS"
    DIE_AFTER_TOKENS = "DIE_AFTER_TOKENS"
    ERROR_AFTER_TOKENS = "ERROR_AFTER_TOKENS"
    CPU_ONLY = "CPU_ONLY"
    SLOW_START_S = "SLOW_START_S"
    SLOW_LOAD_S = "SLOW_LOAD_S"
    LOAD_FAILS = "LOAD_FAILS"
    SLOW_PROMPT_S = "SLOW_PROMPT_S"
    SLOW_ANSWER_S = "SLOW_ANSWER_S"
    QUEUE_FULL = "QUEUE_FULL"
    PULL_STALL_AFTER_BYTES = "PULL_STALL_AFTER_BYTES"
    PULL_CUT_AFTER_BYTES = "PULL_CUT_AFTER_BYTES"
    PULL_CORRUPT = "PULL_CORRUPT"
    SCRIPT = "SCRIPT"


# On or off; 0 and false turn them off.
FLAGS = frozenset(
    {
        Fault.WEDGE,
        Fault.HALF_WEDGE,
        Fault.WEDGE_SCHEDULER,
        Fault.CPU_ONLY,
        Fault.QUEUE_FULL,
        Fault.PULL_CORRUPT,
    }
)


@dataclass
class Switch:
    """One fault that is on: its value and which requests it hits."""

    value: str
    when: str = ""
    first: int | None = None
    every: int = 1
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def hits(self, prompt: str) -> bool:
        """Whether this request is hit; counts it."""
        if self.when not in prompt:
            return False
        with self.lock:
            self.seen += 1
            if self.seen % self.every:
                return False
            return self.first is None or self.seen <= self.first * self.every


class Faults:
    """The faults of this run of the engine; none in ordinary use."""

    def __init__(self, switches: Mapping[Fault, Switch] | None = None) -> None:
        self._switches = dict(switches or {})

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Faults:
        """Read every ``IA0_ENGINE_FAULT_*`` variable; an unknown one is refused."""
        switches = {}
        for key, text in environ.items():
            if key.startswith(PREFIX):
                fault, switch = _fault(key), parse_switch(key, text)
                if fault is Fault.HALF_WEDGE and switch.every == 1:
                    switch.every = 2
                if _is_on(fault, switch.value):
                    switches[fault] = switch
        return cls(switches)

    def __bool__(self) -> bool:
        return bool(self._switches)

    def described(self) -> str:
        """The faults that are on, for the log."""
        return ", ".join(f"{name}={switch.value}" for name, switch in self._switches.items())

    def hit(self, fault: Fault, prompt: str = "") -> str | None:
        """The fault's value when it is on and hits this request, else None."""
        switch = self._switches.get(fault)
        return switch.value if switch and switch.hits(prompt) else None

    def number(self, fault: Fault, prompt: str = "") -> float | None:
        """The fault's value as a number when it hits this request."""
        value = self.hit(fault, prompt)
        return None if value is None else float(value)


def _is_on(fault: Fault, value: str) -> bool:
    return bool(value) and not (fault in FLAGS and value.lower() in ("0", "false"))


def _fault(key: str) -> Fault:
    try:
        return Fault(key.removeprefix(PREFIX))
    except ValueError:
        known = ", ".join(PREFIX + fault for fault in Fault)
        raise ValueError(f"{key}: unknown fault; known are {known}") from None


def parse_switch(key: str, text: str) -> Switch:
    """Read ``value[;when=TEXT][;first=N][;every=N]``."""
    value, *limits = text.split(";")
    switch = Switch(value)
    for limit in limits:
        name, _, setting = limit.partition("=")
        if name == "when":
            switch.when = setting
        elif name in ("first", "every") and setting.isdigit() and int(setting) > 0:
            setattr(switch, name, int(setting))
        else:
            raise ValueError(f"{key}: {limit!r} is not when=TEXT, first=N or every=N")
    return switch
