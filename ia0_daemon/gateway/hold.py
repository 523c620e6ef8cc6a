"""A request held against the limits of its key that are counted over time.

Owns the order of the limits and the words of a refusal. Who counts is given: this process, or the shared
store.

    tokens of the day -> tokens of the minute -> count the request -> Quota, or RateLimited
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ia0_daemon.errors import RateLimited
from ia0_daemon.gateway.quota import Bound, Quota
from ia0_daemon.gateway.usage import DAY_S
from ia0_daemon.gateway.windows import MINUTE_S, Window, Windows, wait_s

if TYPE_CHECKING:
    from ia0_daemon.settings.schema import ApiKey

# What a number of the store can hold for certain (Lua's numbers are doubles).
NO_BOUND = 2**53


class Days(Protocol):
    """Where the tokens of the day are."""

    def total(self, name: str) -> int:
        """Give a key's tokens of today."""

    def add(self, name: str, tokens: int) -> None:
        """Add tokens of today."""


@dataclass(frozen=True, slots=True)
class Books:
    """Who counts."""

    windows: Windows
    days: Days


def hold(books: Books, key: ApiKey, day_left_s: float) -> Quota:
    """Hold a request against the limits that are counted over time; the request itself is counted last."""
    bounds: list[Bound] = []
    if key.tokens_per_day:
        used = books.days.total(key.name)
        bounds.append(Bound("tokens_per_day", key.tokens_per_day, DAY_S, used, day_left_s))
    if key.tokens_per_minute:
        window = Window(*books.windows.get_sliding_window(_tokens(key), MINUTE_S))
        bounds.append(_minute("tokens_per_minute", key.tokens_per_minute, window))
    exhausted = next((bound for bound in bounds if not bound.left), None)
    if key.requests_per_minute:
        bound, is_counted = _request(books.windows, key, count=exhausted is None)
        bounds.append(bound)
        exhausted = exhausted or (None if is_counted else bound)
    quota = Quota(tuple(bounds))
    if exhausted is not None:
        raise _refusal(key, exhausted, quota)
    return quota


def _request(windows: Windows, key: ApiKey, *, count: bool) -> tuple[Bound, bool]:
    limit = key.requests_per_minute
    is_counted = count and windows.acquire_sliding_window_entry(_requests(key), limit, MINUTE_S)
    window = Window(*windows.get_sliding_window(_requests(key), MINUTE_S))
    return _minute("requests_per_minute", limit, window), is_counted


def _minute(name: str, limit: int, window: Window) -> Bound:
    reset_s = wait_s(window, limit) or window.reset_s
    return Bound(name, limit, MINUTE_S, window.used, reset_s)


def add(books: Books, key: ApiKey, tokens: int) -> None:
    """Count tokens that were written, also beyond the limit."""
    if key.tokens_per_minute:
        books.windows.acquire_sliding_window_entry(_tokens(key), NO_BOUND, MINUTE_S, tokens)
    if key.tokens_per_day:
        books.days.add(key.name, tokens)


# By name and not by limit: a limit that a reload changes is held against what was counted before.
def _requests(key: ApiKey) -> str:
    return f"requests:{key.name}"


def _tokens(key: ApiKey) -> str:
    return f"tokens:{key.name}"


def _refusal(key: ApiKey, bound: Bound, quota: Quota) -> RateLimited:
    retry_after_s = int(bound.reset_s) + 1  # at the very moment there is none yet
    used_up = f"the key {key.name} has used up its {bound.name} ({bound.limit})"
    return RateLimited(
        f"{used_up}; there is more in {retry_after_s} s",
        retry_after_s=retry_after_s,
        quota=quota.headers(),
        limit=bound.name,
        bound=bound.limit,
        setting=f"auth.keys[].{bound.name}",
    )
