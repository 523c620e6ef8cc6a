"""Answers that are kept for who asks the same again: in this daemon's memory, and in the shared store.

Owns what is kept, for how long, and the counts. Never decides which answers may
be kept and who may read them, and never raises into a request.

    get: memory -> shared store (then into memory) -> nothing
    put: memory and shared store

In memory it is bounded by bytes and age; the least recently used goes first. An
answer from the store keeps its age: it is written with the time of its birth,
so that no copy of a copy lives on.
"""

from __future__ import annotations

import hashlib
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from cachetools import TLRUCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ia0_daemon.gateway.answer_store import AnswerStore
    from ia0_daemon.settings.schema import Cache

# What an entry holds beside its value: key, objects, its share of the tables, and a heap half full of what
# is gone. Measured with tracemalloc: 510 bytes while it fills, at most 820 while it evicts.
ENTRY_BYTES = 900
# Before a value in the store: these bytes and when it was made, in milliseconds since 1970.
_HEAD = struct.Struct(">4sQ")
_MAGIC = b"ia0\x01"
_KIND = "answer"
# A key of another form of key or value must not be found; raise it where either changes.
_KEY_FORM = "ia0-answer-1"


def cache_key(digest: str, path: str, fields: Mapping[str, Any]) -> bytes:
    """Give the 32 bytes that stand for a question: the model's digest, the engine's path, the body's fields.

    The order of names does not matter, that of lists does; 1 and 1.0 are two. A
    field that is None is another question than one that is left out. Raises
    `TypeError` for what no body can hold.
    """
    return hashlib.sha256(_encode((_KEY_FORM, digest, path, dict(fields)))).digest()


def _encode(question: tuple[object, ...]) -> bytes:
    """Write it so that equal ones have one text and others another: each part bears its type and length."""
    try:
        return msgspec.msgpack.encode(question, order="sorted")
    except OverflowError:  # JSON has numbers that no 64 bits hold
        return b"json" + msgspec.json.encode(question, order="sorted")


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What the cache holds in memory, and what it did since the daemon's start."""

    entries: int
    bytes: int
    hits: int
    """Those of the shared store included."""
    shared_hits: int
    misses: int
    evictions: int
    """Entries that went before their time, for want of room."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: bytes
    born: float
    """When the answer was made, in monotonic seconds of this daemon."""


class AnswerCache:
    """Kept answers. Safe to use from many threads."""

    def __init__(
        self,
        settings: Cache,
        store: AnswerStore | None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._settings = settings
        self._memory = _Memory(settings, clock)
        self._hits = self._shared_hits = self._misses = self._evictions = 0

    def get(self, key: bytes) -> bytes | None:
        """Give the answer that is kept under a key, or none."""
        if not self._settings.enabled:
            return None
        with self._lock:
            kept = self._memory.get(key)
            if kept is not None:
                self._hits += 1
                return kept.value
        kept = self._from_store(key)
        with self._lock:
            if kept is None:
                self._misses += 1
                return None
            self._hits += 1
            self._shared_hits += 1
            self._memory.keep(key, kept)
            return kept.value

    def put(self, key: bytes, value: bytes) -> bool:
        """Keep an answer; false where it is larger than `max_entry_bytes`, or nothing is kept at all."""
        settings = self._settings
        if not settings.enabled or len(value) > settings.max_entry_bytes:
            return False
        with self._lock:
            kept = self._memory.keep(key, _Kept(value, self._clock()))
        if self._store is None:
            return kept
        head = _HEAD.pack(_MAGIC, round(self._now() * 1000))
        return self._store.put(_KIND, key, head + value, settings.max_age_s) or kept

    def configure(self, settings: Cache) -> None:
        """Change the bounds, as a reload does; what they no longer allow is dropped at once."""
        with self._lock:
            old, self._settings = self._memory, settings
            self._evictions += old.evictions
            self._memory = _Memory(settings, self._clock)
            if settings.enabled:
                old.pour_into(self._memory)

    def stats(self) -> CacheStats:
        """Give the counts."""
        with self._lock:
            memory = self._memory
            return CacheStats(
                entries=len(memory),
                bytes=int(memory.currsize),
                hits=self._hits,
                shared_hits=self._shared_hits,
                misses=self._misses,
                evictions=self._evictions + memory.evictions,
            )

    def _from_store(self, key: bytes) -> _Kept | None:
        """Look into the shared store; what is older than this daemon allows, or not ours, is not there."""
        raw = self._store.get(_KIND, key) if self._store is not None else None
        if raw is None or len(raw) < _HEAD.size:
            return None
        magic, born_ms = _HEAD.unpack_from(raw)
        age_s = max(0.0, self._now() - born_ms / 1000)  # clocks of hosts differ a little
        if magic != _MAGIC or age_s >= self._settings.max_age_s:
            return None
        return _Kept(raw[_HEAD.size :], self._clock() - age_s)


class _Memory(TLRUCache[bytes, _Kept]):
    """The entries of one set of bounds. Not safe to use from many threads."""

    def __init__(self, settings: Cache, clock: Callable[[], float]) -> None:
        max_age_s = float(settings.max_age_s)
        super().__init__(
            maxsize=settings.max_bytes,
            ttu=lambda _key, kept, _now: kept.born + max_age_s,
            timer=clock,
            getsizeof=lambda kept: len(kept.value) + ENTRY_BYTES,
        )
        self._max_entry_bytes = min(settings.max_entry_bytes, settings.max_bytes - ENTRY_BYTES)
        self.evictions = 0

    def keep(self, key: bytes, kept: _Kept) -> bool:
        """Keep it if it fits."""
        if len(kept.value) > self._max_entry_bytes:
            return False
        self[key] = kept
        return True

    def popitem(self) -> tuple[bytes, _Kept]:
        """Drop the least recently used one, for want of room."""
        self.evictions += 1
        return super().popitem()

    def pour_into(self, other: _Memory) -> None:
        """Hand all over, the least recently used first."""
        with self.timer:  # so that nothing expires between the look and the taking
            while len(self):
                other.keep(*super().popitem())
