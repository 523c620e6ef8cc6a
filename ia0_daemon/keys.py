"""API keys: making them, hashing them, finding the one that a caller shows.

Owns the form of a key and its comparison. Never keeps a key in the clear and
never logs one.

    new_key() -> (plain, sha256);   KeyRing(keys).find(presented) -> ApiKey or None;   is_expired(key, now)

Why SHA-256 without a salt: a key is 256 random bits of ours, no password. There
is nothing to guess, so no table of hashes can be made beforehand, and a slow
hash would only cost every request its time. A person's password would need both.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

from ia0_daemon.settings.schema import ApiKey

# The prefix lets secret scanners and people recognise a key.
PREFIX = "ia0-"
_RANDOM_BYTES = 32
_PLAIN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")

# What the documents show, and what people type before they think of it.
_EXAMPLES = (
    "ia0-EXAMPLE0EXAMPLE0EXAMPLE0EXAMPLE0EXAMPLE0EXA",
    "",
    "ia0-example",
    "example",
    "changeme",
    "secret",
    "test",
)


def new_key() -> tuple[str, str]:
    """A fresh key and its hash; only the hash is to be kept."""
    plain = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return plain, hash_key(plain)


def hash_key(plain: str) -> str:
    """SHA-256 of a key in lower-case hex, as ``auth.keys`` holds it."""
    # A lone surrogate can come out of an HTTP header; it must miss, not raise.
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def looks_like_key(text: str) -> bool:
    """Whether a text has the form of a key in the clear."""
    return _PLAIN.fullmatch(text) is not None


def ends(key: ApiKey) -> datetime | None:
    """When a key ends; None: never. A text that is no time, which the settings' rules refuse: ValueError."""
    return datetime.fromisoformat(key.expires) if key.expires else None


def is_expired(key: ApiKey, now: datetime) -> bool:
    """Whether a key has ended. ``now`` has a zone."""
    end = ends(key)
    return end is not None and now >= end


EXAMPLE_KEYS = frozenset(hash_key(plain) for plain in _EXAMPLES)
"""Hashes that everybody can know; the daemon refuses them."""


class KeyRing:
    """The configured keys. Immutable, so that a reload simply makes another."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys = tuple((bytes.fromhex(key.sha256), key) for key in keys)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, presented: str) -> ApiKey | None:
        """The key that a caller shows, or None; one that has ended is found too (`is_expired`).

        Takes the same time for every key and for none: each is compared, in
        constant time, and the loop never ends early.
        """
        digest = bytes.fromhex(hash_key(presented))
        found: ApiKey | None = None
        for known, key in self._keys:
            if hmac.compare_digest(known, digest):
                found = key
        return found
