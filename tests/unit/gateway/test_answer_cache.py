"""What is asked again is answered from what is kept, within its bounds, and never from another's."""

from __future__ import annotations

import gc
import hashlib
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.gateway.answer_cache import ENTRY_BYTES, AnswerCache, cache_key
from ia0_daemon.settings.schema import Cache
from ia0_daemon.settings.units import Bytes, Seconds

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def bounds(max_bytes: int = 100_000, max_entry_bytes: int = 50_000, max_age_s: float = 60) -> Cache:
    return Cache(
        max_bytes=Bytes(max_bytes), max_entry_bytes=Bytes(max_entry_bytes), max_age_s=Seconds(max_age_s)
    )


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> AnswerCache:
    return AnswerCache(bounds(), None, clock)


def kept(cache: AnswerCache, numbers: range) -> list[int]:
    return [number for number in numbers if cache.get(key(number)) is not None]


def test_what_was_kept_is_given_again(cache: AnswerCache) -> None:
    assert cache.get(key(1)) is None
    assert cache.put(key(1), b"answer")
    assert (cache.get(key(1)), cache.get(key(2))) == (b"answer", None)
    stats = cache.stats()
    assert (stats.entries, stats.bytes, stats.hits, stats.misses) == (1, 6 + ENTRY_BYTES, 1, 2)


def test_nothing_is_older_than_it_may_be(cache: AnswerCache, clock: Clock) -> None:
    cache.put(key(1), b"answer")
    clock.now += 59.9
    assert cache.get(key(1)) == b"answer"
    clock.now += 0.1
    assert cache.get(key(1)) is None
    assert (cache.stats().entries, cache.stats().bytes, cache.stats().evictions) == (0, 0, 0)


def test_a_newer_answer_takes_the_place_of_the_old(cache: AnswerCache, clock: Clock) -> None:
    cache.put(key(1), b"old")
    clock.now += 30
    cache.put(key(1), b"newer")
    clock.now += 59
    assert cache.get(key(1)) == b"newer"
    assert cache.stats().bytes == 5 + ENTRY_BYTES


def test_the_least_recently_used_goes_where_room_lacks(clock: Clock) -> None:
    cache = AnswerCache(bounds(max_bytes=3 * (ENTRY_BYTES + 10_000), max_entry_bytes=10_000), None, clock)
    for number in range(3):
        cache.put(key(number), bytes(10_000))
    cache.get(key(0))
    cache.put(key(3), bytes(10_000))
    assert kept(cache, range(4)) == [0, 2, 3]
    assert cache.stats().evictions == 1


def test_an_answer_that_is_too_large_is_not_kept_and_costs_no_other_its_place(cache: AnswerCache) -> None:
    cache.put(key(1), b"answer")
    assert not cache.put(key(2), bytes(50_001))
    assert kept(cache, range(3)) == [1]


def test_an_answer_that_fits_its_own_bound_but_not_the_memory_is_not_kept(clock: Clock) -> None:
    cache = AnswerCache(bounds(max_bytes=70_000, max_entry_bytes=70_000), None, clock)
    assert not cache.put(key(1), bytes(70_000))
    assert cache.put(key(1), bytes(70_000 - ENTRY_BYTES))


def test_a_cache_that_is_off_keeps_and_gives_nothing(cache: AnswerCache) -> None:
    cache.put(key(1), b"answer")
    cache.configure(Cache(enabled=False))
    assert (cache.get(key(1)), cache.put(key(1), b"answer"), cache.stats().entries) == (None, False, 0)


def test_a_smaller_bound_drops_the_least_recently_used_at_once(cache: AnswerCache) -> None:
    for number in range(4):
        cache.put(key(number), bytes(20_000))
    cache.get(key(0))
    cache.configure(bounds(max_bytes=70_000, max_entry_bytes=20_000))
    assert kept(cache, range(4)) == [0, 2, 3]
    assert cache.stats().evictions == 1


def test_a_shorter_age_holds_for_what_is_kept_already(cache: AnswerCache, clock: Clock) -> None:
    cache.put(key(1), b"old")
    clock.now += 20
    cache.put(key(2), b"new")
    cache.configure(bounds(max_age_s=15))
    assert kept(cache, range(3)) == [2]


def test_a_lower_bound_of_entries_drops_those_above_it(cache: AnswerCache) -> None:
    cache.put(key(1), bytes(2000))
    cache.put(key(2), bytes(1000))
    cache.configure(bounds(max_entry_bytes=1024))
    assert kept(cache, range(3)) == [2]


@pytest.mark.parametrize("size", [100, 1000, 5000])
def test_an_entry_holds_no_more_memory_than_is_counted(clock: Clock, size: int) -> None:
    """Four times as many answers as fit pass through."""
    room = 4_000_000
    gc.collect()
    tracemalloc.start()
    cache = AnswerCache(bounds(max_bytes=room), None, clock)
    for number in range(4 * room // (size + ENTRY_BYTES)):
        cache.put(key(number), bytes(size))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cache.stats().evictions
    assert room / 2 < held <= room


def test_many_threads_read_what_was_written(clock: Clock) -> None:
    cache = AnswerCache(bounds(max_bytes=70_000, max_entry_bytes=1024), None, clock)

    def use(number: int) -> bool:
        one = number % 100
        cache.put(key(one), key(one) * 5)
        cache.configure(bounds(max_bytes=60_000 + number % 2 * 10_000, max_entry_bytes=1024))
        return cache.get(key(one)) in (None, key(one) * 5)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(2000)))
    stats = cache.stats()
    assert stats.bytes == stats.entries * (160 + ENTRY_BYTES) <= 70_000


def test_a_key_does_not_depend_on_the_order_of_names() -> None:
    one = cache_key("d", "/api/chat", {"a": 1, "b": {"c": 2, "d": 3}})
    assert one == cache_key("d", "/api/chat", {"b": {"d": 3, "c": 2}, "a": 1})
    assert len(one) == 32


@pytest.mark.parametrize(
    "other",
    [
        ("ab", "c", {"prompt": "x"}),
        ("a", "bc", {"prompt": "y"}),
        ("a", "bc", {"prompt": "x", "format": None}),
        ("a", "bc", {"prompt": ["x"]}),
        ("a", 'bc",{"prompt":"x"}', {}),
        ("a", "b", {"c": "", "prompt": "x"}),
    ],
)
def test_another_question_has_another_key(other: tuple[str, str, dict[str, Any]]) -> None:
    assert cache_key(*other) != cache_key("a", "bc", {"prompt": "x"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0), (1, True), (0, False), (1, "1"), (None, "null"), (float("nan"), None), (b"x", "eA=="),
        (10**30, 10**30 + 1), (10**30, str(10**30)), ([1, [2]], [[1], 2]), ([], {}), ("a\0b", "a"),
    ],
)  # fmt: skip
def test_values_of_another_type_are_others(one: object, other: object) -> None:
    assert cache_key("d", "p", {"v": one}) != cache_key("d", "p", {"v": other})


@given(JSON, JSON)
def test_keys_are_equal_where_questions_are(one: object, other: object) -> None:
    """Python's text of a value tells 1, 1.0 and True apart, as the engine does."""
    same = repr(sorted_deeply(one)) == repr(sorted_deeply(other))
    assert (cache_key("d", "p", {"v": one}) == cache_key("d", "p", {"v": other})) == same


def sorted_deeply(value: object) -> object:
    if isinstance(value, dict):
        return {name: sorted_deeply(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [sorted_deeply(one) for one in value]
    return value
