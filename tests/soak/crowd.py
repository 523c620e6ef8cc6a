"""The callers of the soak test: many at once, each request held against the outcome that was meant.

play(numbers) -> Counter of what was meant, and the faults
"""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from tests.soak.kinds import KINDS, TIMEOUT_S, Caller


class Arrivals(defaultdict[str, threading.Event]):
    """Which prompts have reached the engine, as it prints them; one event for each that is asked for."""

    def __init__(self, printed: IO[str]) -> None:
        super().__init__(threading.Event)
        self._lock = threading.Lock()
        threading.Thread(target=self._read, args=(printed,), daemon=True).start()

    def __missing__(self, number: str) -> threading.Event:
        with self._lock:
            return self.setdefault(number, threading.Event())

    def _read(self, printed: IO[str]) -> None:
        for line in printed:
            self[line.strip()].set()


class Crowd:
    """Callers of one daemon."""

    def __init__(self, port: int, arrived: Arrivals, callers: int, seed: int) -> None:
        self._port = port
        self._arrived = arrived
        self._callers = callers
        self._random = random.Random(seed)
        self._count = 0
        self._lock = threading.Lock()
        self.meant: Counter[str] = Counter()
        """How many requests were meant to end under each code."""
        self.faults: list[str] = []
        """What came instead."""

    def play(self, requests: int) -> None:
        """Send so many requests, in a mix of all kinds."""
        shares = [kind.share for kind in KINDS.values()]
        mix = iter(self._random.choices(list(KINDS), shares, k=requests))
        with ThreadPoolExecutor(self._callers) as pool:
            for done in [pool.submit(self._call, mix) for _ in range(self._callers)]:
                done.result()

    def _call(self, mix: Iterator[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        caller = Caller(self._port, self._arrived, connection)
        while (name := self._take(mix, caller)) is not None:
            try:
                KINDS[name].play(caller)
            except Exception as error:  # noqa: BLE001  # whatever came is a fault of this request
                connection.close()
                with self._lock:
                    self.faults.append(f"{name}: {error!r}"[:500])
            self._arrived.pop(caller.number, None)
        connection.close()

    def _take(self, mix: Iterator[str], caller: Caller) -> str | None:
        with self._lock:
            name = next(mix, None)
            if name is not None:
                self._count += 1
                self.meant[KINDS[name].code] += 1
                caller.number = str(self._count)
            return name
