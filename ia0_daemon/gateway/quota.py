"""What a key may still do, as the headers of an answer say it.

Owns the headers' form (draft-ietf-httpapi-ratelimit-headers, 06). Never counts.

    bounds -> the tightest -> RateLimit-Limit, -Remaining, -Reset; all of them -> RateLimit-Policy
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit of a key and how much of it is used."""

    name: str
    """The setting's: ``requests_per_minute``."""
    limit: int
    window_s: int
    used: int
    reset_s: float
    """How long until there is more, or until the window is over."""

    @property
    def left(self) -> int:
        """Give how much is left."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Quota:
    """All limits of a key that are counted over time."""

    bounds: tuple[Bound, ...] = ()

    def headers(self) -> dict[str, str]:
        """Give the `RateLimit-*` headers; none where nothing is bounded."""
        if not self.bounds:
            return {}
        tightest = min(self.bounds, key=lambda bound: bound.left / bound.limit)
        policy = ", ".join(f'{bound.limit};w={bound.window_s};name="{bound.name}"' for bound in self.bounds)
        return {
            "RateLimit-Limit": str(tightest.limit),
            "RateLimit-Remaining": str(tightest.left),
            "RateLimit-Reset": str(ceil(tightest.reset_s)),
            "RateLimit-Policy": policy,
        }


NO_QUOTA = Quota()
"""Of a key without limits."""
