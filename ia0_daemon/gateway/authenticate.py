"""Who is asking: the API key of a request, where keys are configured.

Owns the reading of the headers. The comparison is `keys.py`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.errors import Unauthorized

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

    from ia0_daemon.keys import KeyRing

HINT = "send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"


def authenticate(headers: Headers, ring: KeyRing) -> str:
    """Give the name of the key that the request bears, or an empty name where no key is asked for.

    Raises `Unauthorized` where keys are configured and none of them is presented.
    """
    if not ring:
        return ""
    presented = _presented(headers)
    if not presented:
        raise Unauthorized(f"this service asks for an API key; {HINT}")
    key = ring.find(presented)
    if key is None:
        raise Unauthorized(f"the API key is not known; {HINT}")
    return key.name


def _presented(headers: Headers) -> str:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("X-API-Key", "").strip()
