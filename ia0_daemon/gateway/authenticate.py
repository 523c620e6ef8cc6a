"""Who is asking: the API key of a request, where keys are configured.

Owns the reading of the headers. The comparison is `keys.py`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ia0_daemon.errors import Unauthorized
from ia0_daemon.keys import is_expired

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.datastructures import Headers

    from ia0_daemon.keys import KeyRing
    from ia0_daemon.settings.schema import ApiKey

HINT = "send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"


def _now() -> datetime:
    return datetime.now(UTC)


def authenticate(headers: Headers, ring: KeyRing, now: Callable[[], datetime] = _now) -> ApiKey | None:
    """Give the key that the request bears; None where no key is asked for.

    Raises `Unauthorized` where keys are configured and none of them is presented, or one that has ended.
    """
    if not ring:
        return None
    presented = _presented(headers)
    if not presented:
        raise Unauthorized(f"this service asks for an API key; {HINT}")
    key = ring.find(presented)
    if key is None:
        raise Unauthorized(f"the API key is not known; {HINT}")
    if key.expires and is_expired(key, now()):
        raise Unauthorized(f"the API key {key.name} ended at {key.expires}; ask for another")
    return key


def _presented(headers: Headers) -> str:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("X-API-Key", "").strip()
