"""A key's limits: each is held, says when there is more, and costs nothing where it is not set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ia0_daemon.errors import RateLimited
from ia0_daemon.gateway.limits import Limiter
from ia0_daemon.gateway.usage import DAY_S
from ia0_daemon.settings.schema import ApiKey
from tests.fakes import FakeClock

Enter = Callable[..., dict[str, str]]


def key(name: str = "shop", **limits: int) -> ApiKey:
    return ApiKey(name=name, sha256="0" * 64, **limits)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(10 * DAY_S + 30.0)


@pytest.fixture
def limiter(clock: FakeClock) -> Iterator[Limiter]:
    limiter = Limiter(None, "", clock=clock, wall=clock)
    yield limiter
    limiter.close()


@pytest.fixture
def enter(limiter: Limiter) -> Enter:
    """Enter and leave at once; gives the headers."""

    def enter(of: ApiKey) -> dict[str, str]:
        with ExitStack() as resources:
            return limiter.enter(resources, of).headers()

    return enter


def refusal(enter: Enter, of: ApiKey) -> RateLimited:
    with pytest.raises(RateLimited) as refused:
        enter(of)
    return refused.value


def test_a_key_without_limits_is_never_refused(enter: Enter) -> None:
    assert [enter(key()) for _ in range(1000)] == [{}] * 1000


def test_requests_beyond_the_minutes_are_refused(enter: Enter) -> None:
    shop = key(requests_per_minute=2)
    enter(shop)
    enter(shop)
    error = refusal(enter, shop)
    assert error.details == {
        "limit": "requests_per_minute",
        "bound": 2,
        "setting": "auth.keys[].requests_per_minute",
    }
    assert "shop has used up its requests_per_minute (2)" in error.message


def test_the_retry_after_is_true(enter: Enter, clock: FakeClock) -> None:
    shop = key(requests_per_minute=1)
    enter(shop)
    wait_s = refusal(enter, shop).retry_after_s
    assert wait_s is not None
    clock.now += wait_s - 1.5
    refusal(enter, shop)
    clock.now += 1.5
    enter(shop)


def test_tokens_are_known_afterwards_and_then_count(limiter: Limiter, enter: Enter) -> None:
    shop = key(tokens_per_minute=100)
    limiter.settle(shop, 99)
    enter(shop)
    limiter.settle(shop, 500)
    assert refusal(enter, shop).details["limit"] == "tokens_per_minute"


def test_tokens_far_beyond_the_limit_are_not_forgotten_with_the_minute(
    limiter: Limiter, enter: Enter, clock: FakeClock
) -> None:
    shop = key(tokens_per_minute=100)
    limiter.settle(shop, 1000)
    clock.now += 60
    refusal(enter, shop)
    clock.now += 60
    enter(shop)


def test_the_days_tokens_last_until_midnight_in_utc(limiter: Limiter, enter: Enter, clock: FakeClock) -> None:
    shop = key(tokens_per_day=100)
    limiter.settle(shop, 100)
    error = refusal(enter, shop)
    assert error.details["limit"] == "tokens_per_day"
    assert error.retry_after_s == DAY_S - 30 + 1
    clock.now += DAY_S - 31
    refusal(enter, shop)
    clock.now += 1
    enter(shop)


def test_a_request_that_is_refused_for_its_tokens_does_not_count(limiter: Limiter, enter: Enter) -> None:
    limiter.settle(key(tokens_per_minute=1), 1)
    for _ in range(5):
        refusal(enter, key(tokens_per_minute=1, requests_per_minute=1))
    enter(key(requests_per_minute=1))


def test_requests_at_once_are_held_until_they_end(limiter: Limiter) -> None:
    shop = key(max_concurrent=1)
    with ExitStack() as resources:
        limiter.enter(resources, shop)
        with pytest.raises(RateLimited, match=r"under way as it may \(1\)") as refused:
            limiter.enter(ExitStack(), shop)
        assert refused.value.headers() == {"Retry-After": "1"}
    with ExitStack() as resources:
        limiter.enter(resources, shop)


def test_a_refused_request_holds_no_place(limiter: Limiter, enter: Enter) -> None:
    shop = key(max_concurrent=1, tokens_per_day=1)
    limiter.settle(shop, 1)
    for _ in range(3):
        assert refusal(enter, shop).details["limit"] == "tokens_per_day"


def test_keys_are_held_apart(enter: Enter) -> None:
    enter(key("a", requests_per_minute=1))
    enter(key("b", requests_per_minute=1))


def test_a_limit_that_a_reload_changes_counts_what_was_before(enter: Enter) -> None:
    enter(key(requests_per_minute=10))
    enter(key(requests_per_minute=10))
    refusal(enter, key(requests_per_minute=2))


def test_the_headers_tell_the_tightest_limit_and_all_of_them(limiter: Limiter, enter: Enter) -> None:
    shop = key(requests_per_minute=10, tokens_per_minute=100)
    limiter.settle(shop, 95)
    assert enter(shop) == {
        "RateLimit-Limit": "100",
        "RateLimit-Remaining": "5",
        "RateLimit-Reset": "30",
        "RateLimit-Policy": '100;w=60;name="tokens_per_minute", 10;w=60;name="requests_per_minute"',
    }


def test_a_refusal_bears_the_headers_too(enter: Enter) -> None:
    shop = key(requests_per_minute=1)
    enter(shop)
    headers = refusal(enter, shop).headers()
    assert headers["RateLimit-Remaining"] == "0"
    assert int(headers["Retry-After"]) - int(headers["RateLimit-Reset"]) in {0, 1}


def test_the_days_tokens_outlive_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    shop = key(tokens_per_day=100)
    first = Limiter(None, str(tmp_path / "usage.db"), clock=clock, wall=clock)
    first.settle(shop, 100)
    first.close()
    second = Limiter(None, str(tmp_path / "usage.db"), clock=clock, wall=clock)
    with pytest.raises(RateLimited, match="tokens_per_day"):
        second.enter(ExitStack(), shop)
    second.close()


def test_a_database_that_cannot_be_made_fails_no_request(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").write_text("")
    limiter = Limiter(None, str(tmp_path / "file" / "usage.db"), clock=clock, wall=clock)
    shop = key(tokens_per_day=10)
    limiter.enter(ExitStack(), shop)
    limiter.settle(shop, 10)
    with pytest.raises(RateLimited):
        limiter.enter(ExitStack(), shop)
    assert limiter.usage_state is not None
    assert not limiter.usage_state.is_kept
    limiter.close()
