"""Answers in the shared store: under keys of their own, for their age, and not missed while it is away."""

from __future__ import annotations

import pytest
from valkey.exceptions import ConnectionError as Gone
from valkey.exceptions import OutOfMemoryError

from ia0_daemon.gateway.answer_cache import AnswerCache
from ia0_daemon.gateway.answer_store import AnswerStore
from ia0_daemon.settings.schema import Cache
from ia0_daemon.settings.units import Bytes, Seconds
from tests.fake_store import FakeValkey, store_of

KEY = b"k" * 32


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client() -> FakeValkey:
    return FakeValkey()


@pytest.fixture
def store(client: FakeValkey) -> AnswerStore:
    return AnswerStore(store_of(client))


def test_values_end_by_themselves_and_bear_the_prefix(store: AnswerStore, client: FakeValkey) -> None:
    assert store.put("answer", KEY, b"value", max_age_s=1.5)
    assert store.get("answer", KEY) == b"value"
    assert store.get("other", KEY) is None
    assert (list(client.values), client.ages) == ([b"ia0:answer:" + KEY.hex().encode()], [{"px": 1500}])


def test_a_store_that_is_away_is_asked_once(store: AnswerStore, client: FakeValkey) -> None:
    client.error = Gone("gone")
    assert [store.get("answer", KEY) for _ in range(5)] == [None] * 5
    assert not store.put("answer", KEY, b"value", 60)
    assert client.asked == 1


def test_a_store_that_is_full_still_gives(store: AnswerStore, client: FakeValkey) -> None:
    store.put("answer", KEY, b"value", 60)
    client.set_error = OutOfMemoryError("full")
    assert [store.put("answer", KEY, b"newer", 60) for _ in range(5)] == [False] * 5
    assert store.get("answer", KEY) == b"value"
    assert client.asked == 3


class Wall(Clock):
    """A host's time of day."""


def two_daemons(client: FakeValkey, clock: Clock, wall: Clock, max_age_s: float = 60) -> list[AnswerCache]:
    settings = Cache(max_bytes=Bytes(100_000), max_entry_bytes=Bytes(50_000), max_age_s=Seconds(max_age_s))
    return [AnswerCache(settings, AnswerStore(store_of(client)), clock, wall) for _ in range(2)]


def test_what_one_daemon_kept_another_gives_and_then_from_its_own_memory(
    client: FakeValkey, clock: Clock
) -> None:
    one, other = two_daemons(client, clock, Wall())
    one.put(KEY, b"answer")
    assert [other.get(KEY) for _ in range(3)] == [b"answer"] * 3
    assert client.asked == 2
    assert (other.stats().hits, other.stats().shared_hits, other.stats().misses) == (3, 1, 0)


def test_a_copy_does_not_outlive_the_answer(client: FakeValkey, clock: Clock) -> None:
    wall = Wall()
    one, other = two_daemons(client, clock, wall)
    one.put(KEY, b"answer")
    clock.now += 50
    wall.now += 50
    assert other.get(KEY) == b"answer"
    clock.now += 10
    wall.now += 10
    assert other.get(KEY) is None
    assert client.asked == 3


@pytest.mark.parametrize("foreign", [b"", b"x", b"something else that is longer", b"ia0\x01"])
def test_what_is_not_ours_in_the_store_is_not_there(client: FakeValkey, clock: Clock, foreign: bytes) -> None:
    one, _ = two_daemons(client, clock, Wall())
    client.values[b"ia0:answer:" + KEY.hex().encode()] = foreign
    assert one.get(KEY) is None


def test_without_its_store_a_daemon_keeps_in_memory(client: FakeValkey, clock: Clock) -> None:
    one, _ = two_daemons(client, clock, Wall())
    client.error = Gone("gone")
    assert one.put(KEY, b"answer")
    assert one.get(KEY) == b"answer"
